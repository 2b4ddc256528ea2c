"""What is said: messages of typed parts. Text today; image, audio and video by blob hash, without changing a noun."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from whytune.records.record import Value


class TextPart(Value):
    """Some text."""

    type: Literal["text"] = "text"
    text: str


class BlobPart(Value):
    """An image, sound or video kept in the store as a blob."""

    type: Literal["image", "audio", "video"]
    blob: str
    media_type: str


Part = Annotated[TextPart | BlobPart, Field(discriminator="type")]
Speaker = Literal["system", "user", "assistant"]


class Message(Value):
    """One turn of a conversation."""

    role: Speaker
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, role: Speaker, text: str) -> Message:
        """A message of one text part."""
        return cls(role=role, parts=(TextPart(text=text),))

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return text_of(self.parts)


def text_of(parts: tuple[Part, ...]) -> str:
    """The text parts of some content, joined; other media are left out."""
    return "".join(part.text for part in parts if isinstance(part, TextPart))
