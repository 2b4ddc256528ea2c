"""Pictures of every page to be looked at by a person: light, dark, 320 px, print. They are not kept in the repository.

    python benchmarks/pictures.py OUT [--at HOUSE] [--only /projects/support]

The workspace is the one of the browser tests (`python -m tests.browser.house HOUSE` builds one to keep). Beside the
pictures stands `noise.txt`: what the console said, and requests that left this machine; both should be empty.
"""

from __future__ import annotations

import argparse
import re
import shutil
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402
from tests.browser.conftest import Noise  # noqa: E402
from tests.browser.house import PASSWORD, built, serving  # noqa: E402
from tests.browser.walking import Walk  # noqa: E402
from tests.chromium import ARGUMENTS  # noqa: E402

SKIPPED = (".json", ".md", "report.html")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 320, "height": 800}


def name_of(url: str) -> str:
    """A file's name for an address."""
    return re.sub(r"[^a-z0-9]+", "-", url.lower().replace("%3a", "-")).strip("-")[:80] or "tasks"


def png(pixels: Any) -> bytes:
    """A picture of rows of red, green, blue as a PNG file."""
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + row.tobytes() for row in pixels[:, :, :3])

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def shoot(page: Any, url: str, out: Path) -> None:
    """The four pictures of one page."""
    import pypdfium2

    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light", media="screen")
    page.goto(url)
    page.screenshot(path=out / f"{name_of(url)}.light.png", full_page=True)
    page.emulate_media(color_scheme="dark", media="screen")
    page.screenshot(path=out / f"{name_of(url)}.dark.png", full_page=True)
    page.set_viewport_size(NARROW)
    page.emulate_media(color_scheme="light", media="screen")
    page.screenshot(path=out / f"{name_of(url)}.320.png", full_page=True)
    page.set_viewport_size(WIDE)
    page.emulate_media(media="print")
    sheets = pypdfium2.PdfDocument(page.pdf(format="A4"))
    first = sheets[0].render(scale=1.5, rev_byteorder=True)
    (out / f"{name_of(url)}.print.png").write_bytes(png(first.to_numpy()))
    sheets.close()


def main() -> None:
    """Walk over the site and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--at", type=Path, help="a house that was built before")
    parser.add_argument("--only", default="", help="addresses that begin like this")
    parser.add_argument("--person", default="owner")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as made:
        house = Path(made) / "house"
        if chosen.at:
            shutil.copytree(chosen.at, house)  # a review or a visit changes it
        else:
            house.mkdir()
            built(house)
        with serving(house, "web") as address, sync_playwright() as playwright:
            urls = [url for url in Walk(address, chosen.person).chosen() if url.startswith(chosen.only) and not url.endswith(SKIPPED)]
            browser = playwright.chromium.launch(executable_path=browser_path, args=list(ARGUMENTS))
            context = browser.new_context(base_url=address)
            noise = Noise(context, address)
            context.request.post("/api/v1/session", data={"name": chosen.person, "password": PASSWORD})
            page = context.new_page()
            for url in urls:
                shoot(page, url, chosen.out)
            browser.close()
    (chosen.out / "noise.txt").write_text("\n".join(noise.told) + "\n", "utf-8")
    print(f"{len(urls)} pages in {chosen.out}; {len(noise.told)} lines of noise")


if __name__ == "__main__":
    main()
