"""A stand-in author: reads the passage in the prompt and writes rows about it, good ones and each kind of bad one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.answering.endpoint_server import Behaviour, Handler, Server

ROOM = re.compile(r"The (\w+) room is on floor (\d+)\.")


def rows_about(passage: str, title: str) -> list[dict[str, str]]:
    """One row for each room of the handbook's passage, and one of each flaw."""
    rows = [
        {"question": f"What floor is {title}'s {room} room on?", "answer": f"It is on floor {floor}.", "evidence": f"The {room} room is on floor {floor}."}
        for room, floor in ROOM.findall(passage)
    ]
    first = rows[0]
    return [
        *rows,
        {**first, "question": f"Is there a lift in {title} at the entrance?", "evidence": "There is a lift at the entrance."},
        {**first, "question": f"How many doors does {title} have in all?", "answer": "It has 417 doors."},
        {**first, "question": "According to the passage, where is the room?"},
        {"question": "", "answer": "", "evidence": ""},
    ]


class Author(Handler):
    """Writes rows; with the mode `prose` it chats instead."""

    def chat(self, payload: dict[str, Any], mode: str) -> None:
        said = payload["messages"][-1]["content"]
        title = re.search(r"Title: (\S+)", said)
        rows = rows_about(said.partition("Passage:\n")[2], title.group(1) if title else "it")
        text = "Sure! Here are some rows." if mode == "prose" else "```json\n" + json.dumps({"rows": rows}) + "\n```"
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 100, "completion_tokens": 50}
        self.send(200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})


@contextmanager
def writing(**behaviour: Any) -> Iterator[tuple[str, Behaviour]]:
    """The address of a running author, and what it does and has seen."""
    does = Behaviour(**behaviour)
    server = Server(("127.0.0.1", 0), type("Bound", (Author,), {"behaviour": does}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", does
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
