"""Identifiers: UUIDv7, so that an index grows at its end; strings on the wire."""

import os
import time
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, WithJsonSchema

NIL = UUID(int=0)


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, 74 random bits.

    Made here and not by PostgreSQL's ``uuidv7()`` where one id must stand in two
    rows of one list, such as an award and its transfer. (Python has it from 3.14.)
    """
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def _known_shape_or_nil(value: object) -> object:
    """An id is opaque to clients: one that we never issued is unknown (404), not invalid."""
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            return NIL
    return value


PathId = Annotated[UUID, BeforeValidator(_known_shape_or_nil), WithJsonSchema({"type": "string"})]
