"""Walks over the site by its own links, as somebody who follows every one, and says which pages were met."""

from __future__ import annotations

import re
from collections import defaultdict
from html import unescape
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx
from tests.browser.house import PASSWORD

from whytune.web import app
from whytune.web.handling import Address

HREF = re.compile(r'<a [^>]*?href="([^"]+)"')
EACH = 5
"""Addresses of one pattern that are followed."""
PAGES = [one for noun in (*app.NOUNS, *app.PAGES) for one in noun.routes if isinstance(one, Address) and one.face == "html"]


def pattern_of(path: str) -> str:
    """Which page an address is: its pattern as in the code; empty for none."""
    return next((one.path for one in PAGES if one.path_regex.match(path)), "")


class Walk:
    """What was met: addresses by pattern, and every link that led nowhere."""

    def __init__(self, address: str, name: str, begin: str = "/", within: str = "/") -> None:
        self.met: dict[str, list[str]] = defaultdict(list)
        self.dead: list[str] = []
        with httpx.Client(base_url=address, headers={"accept": "text/html"}, timeout=60, limits=httpx.Limits(max_keepalive_connections=0)) as client:
            client.post("/api/v1/session", json={"name": name, "password": PASSWORD}).raise_for_status()
            waiting, seen = [(begin, "the beginning")], {begin}
            while waiting:
                url, where = waiting.pop(0)
                answer = client.get(url, follow_redirects=True)
                if answer.status_code != 200:
                    self.dead.append(f"{url}: {answer.status_code}, linked from {where}")
                    continue
                self.met[pattern_of(urlsplit(url).path)].append(url)
                if "text/html" not in answer.headers.get("content-type", "") or url.startswith("/help/"):
                    continue  # links of the documentation are tested where it is
                for href in HREF.findall(answer.text):
                    there = urldefrag(urljoin(str(answer.url), unescape(href)))[0]
                    if not there.startswith(address + within):
                        continue
                    link = there.removeprefix(address)
                    path = urlsplit(link).path
                    pattern = pattern_of(path)
                    if link in seen or path.startswith(("/api/", "/static/")) or sum(pattern_of(urlsplit(one).path) == pattern for one in seen) >= EACH:
                        continue
                    seen.add(link)
                    waiting.append((link, url))

    def chosen(self) -> list[str]:
        """One address of each page: of the use case in which there is everything, where it has the page."""
        return [next((url for url in urls if "/support" in url), urls[0]) for urls in self.met.values()]
