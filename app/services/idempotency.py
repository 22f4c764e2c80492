"""Idempotency keys: a phone that lost the reply repeats the request and gets the first reply.

The key is claimed in the transaction of the work, so it is kept exactly when the work is.
"""

from dataclasses import dataclass
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.queries import idempotency as queries

MAX_KEY = 255


class KeyMissing(Refusal):
    code, status, title = "idempotency.key_missing", 400, "Idempotency-Key missing"
    zh, en = "缺少 Idempotency-Key 请求头", "This request needs an Idempotency-Key."


class KeyReused(Refusal):
    code, status, title = "idempotency.key_reused", 422, "Idempotency-Key reused"
    zh, en = "Idempotency-Key 已用于其他请求", "This Idempotency-Key was used for another request."


class KeyInFlight(Refusal):
    code, status, title = "idempotency.in_flight", 409, "Still in flight"
    zh, en = "相同的请求正在处理中", "The first request with this key is still being processed."


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes


async def begin(tx: Session, person_id: UUID, key: str, fingerprint: bytes) -> Reply | None:
    """Claim the key: None means "do the work", a Reply is the first one.

    Raises KeyReused for another body, KeyInFlight if the first takes too long.
    """
    try:
        if await queries.claim(tx, person_id, key, fingerprint):
            return None
    except queries.InFlight:
        raise KeyInFlight(retry_after=1) from None
    stored = await queries.find(tx, person_id, key)
    if stored is None or stored.status is None or stored.body is None:
        raise KeyInFlight(retry_after=1)
    if stored.fingerprint != fingerprint:
        raise KeyReused
    return Reply(stored.status, stored.body)


async def complete(tx: Session, person_id: UUID, key: str, reply: Reply) -> None:
    """Store the reply beside the key."""
    await queries.store(tx, person_id, key, reply.status, reply.body)


def parse_key(header: str | None) -> str:
    """Read the header, bare or quoted as the IETF draft writes it.

    Raises KeyMissing, or KeyMalformed for a quote that is opened and not closed, for
    anything that is not visible, and for too long a key.
    """
    key = (header or "").strip()
    quotes = key.startswith('"') + key.endswith('"')
    if len(key) >= 2 and quotes == 2:
        key = key[1:-1]
    elif quotes:
        raise KeyMalformed
    if not key:
        raise KeyMissing
    if len(key) > MAX_KEY or not all("!" <= char <= "~" for char in key):
        raise KeyMalformed
    return key


class KeyMalformed(Refusal):
    code, status, title = "idempotency.key_malformed", 422, "Idempotency-Key malformed"
    zh, en = "Idempotency-Key 格式有误", "An Idempotency-Key has up to 255 visible characters."
