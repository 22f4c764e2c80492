"""A reply made once for all who asked for the same: its JSON, and the tag that names it."""

from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Rendered:
    """``body`` is None when the caller has it already. ``tag`` goes into the ETag."""

    tag: str
    body: bytes | None

    @classmethod
    def of(cls, body: bytes) -> "Rendered":
        return cls(tag_of(body), body)


def tag_of(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()
