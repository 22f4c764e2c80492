"""A rendered reply: JSON that may be shared by many requests, and its ETag."""

from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Rendered:
    """``tag`` is the ETag without quotes. ``body`` is None if the caller already has it."""

    tag: str
    body: bytes | None

    @classmethod
    def of(cls, body: bytes) -> "Rendered":
        return cls(tag_of(body), body)


def tag_of(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()
