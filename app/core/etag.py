"""The JSON body of a reply, which many requests may share, and its ETag."""

from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class TaggedBody:
    """``tag`` is the ETag without quotes. ``body`` is None if the caller already has it."""

    tag: str
    body: bytes | None

    @classmethod
    def of(cls, body: bytes) -> "TaggedBody":
        return cls(tag_of(body), body)


def tag_of(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()
