"""Idempotency keys: a repeated request gets the reply to the first one.

The key is claimed in the transaction of the work: both are committed, or neither.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.queries import idempotency as queries
from app.queries.idempotency import Key, StoredReply

MAX_KEY = 255
KEPT_FOR = timedelta(days=7)
C = TypeVar("C")
R = TypeVar("R")


class KeyMissing(Refusal):
    code, status, title = "idempotency.key_missing", 400, "Idempotency-Key missing"
    zh, en = "缺少 Idempotency-Key 请求头", "This request needs an Idempotency-Key."
    fact_names = ("limit", "measure")


class KeyReused(Refusal):
    code, status, title = "idempotency.key_reused", 422, "Idempotency-Key reused"
    zh, en = "Idempotency-Key 已用于其他请求", "This Idempotency-Key was used for another request."
    fact_names = ("used_at",)


class KeyInFlight(Refusal):
    code, status, title = "idempotency.in_flight", 409, "Still in flight"
    zh, en = "相同的请求正在处理中", "The first request with this key is still being processed."
    fact_names = ("retry_after",)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Attempt(Generic[C, R]):
    """A command under a key. ``render`` makes the reply of an outcome.

    ``instead`` is the refusal of a new key without running the command: a rate-limited caller still
    gets the reply to an earlier request.
    """

    key: Key
    fingerprint: bytes
    command: C
    render: Callable[[R | Refusal], Reply]
    instead: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Replied:
    """``refusal`` is the refusal of this run's command; None for a replay."""

    reply: Reply
    refusal: Refusal | None = None
    is_replay: bool = False


async def run(
    tx: Session,
    attempts: Sequence[Attempt[C, R]],
    work: Callable[[list[C]], Awaitable[Sequence[R | Refusal]]],
) -> list[Replied | Refusal]:
    """Run each command once for its key, all in one call of ``work``; one outcome each.

    Precondition: no two attempts have one key. The keys are claimed in the transaction of the work:
    both are committed, or neither. A refusal is stored as a reply; a server error, or a refusal
    with Retry-After, is not. Outcomes: Replied; KeyReused for another body, KeyInFlight, or a
    refusal that is not stored.
    """
    known = await _known(tx, {one.key: one.fingerprint for one in attempts})
    new = [one for one in attempts if one.key not in known]
    done: dict[Key, Replied | Refusal] = {one.key: one.instead for one in new if one.instead}
    working = [one for one in new if not one.instead]
    outcomes = await work([one.command for one in working])
    for one, outcome in zip(working, outcomes, strict=True):
        refusal = outcome if isinstance(outcome, Refusal) else None
        if refusal and not is_final(refusal):
            done[one.key] = refusal
        else:
            done[one.key] = Replied(one.render(outcome), refusal)
    await _keep(tx, new, done)
    return [
        _replay(one.fingerprint, known[one.key]) if one.key in known else done[one.key]
        for one in attempts
    ]


async def _known(tx: Session, fingerprints: dict[Key, bytes]) -> dict[Key, StoredReply | None]:
    """Claim the keys; return what is stored with those that were taken.

    Raises KeyInFlight for all if the first request with one of them takes too long.
    """
    try:
        claimed = await queries.claim(tx, fingerprints)
    except queries.InFlight:
        raise KeyInFlight(retry_after=1) from None
    taken = fingerprints.keys() - claimed
    if not taken:
        return {}
    stored = await queries.find(tx, taken)
    return {key: stored.get(key) for key in taken}


def _replay(fingerprint: bytes, stored: StoredReply | None) -> Replied | Refusal:
    if stored is None or stored.status is None or stored.body is None:
        return KeyInFlight(retry_after=1)
    if stored.fingerprint != fingerprint:
        return KeyReused(used_at=stored.created_at)
    return Replied(Reply(stored.status, stored.body), is_replay=True)


async def _keep(
    tx: Session, new: Sequence[Attempt[C, R]], done: dict[Key, Replied | Refusal]
) -> None:
    replies = {one.key: done[one.key] for one in new}
    kept = {
        key: (one.reply.status, one.reply.body)
        for key, one in replies.items()
        if isinstance(one, Replied)
    }
    if kept:
        await queries.store(tx, kept)
    if len(kept) < len(replies):
        await queries.release(tx, replies.keys() - kept.keys())


def is_final(refusal: Refusal) -> bool:
    """Return whether a refusal is stored as a reply: no server error, and no Retry-After."""
    return refusal.status < 500 and refusal.retry_after is None


async def claim(tx: Session, key: Key, fingerprint: bytes) -> Reply | None:
    """Claim a key for this transaction; return the reply that it has already.

    Raises KeyReused (the key was used for another request), KeyInFlight.
    """
    known = await _known(tx, {key: fingerprint})
    return unwrap([_replay(fingerprint, known[key])]).reply if key in known else None


async def replay(tx: Session, key: Key, fingerprint: bytes) -> Reply | None:
    """Return the reply that is stored with a key, without claiming the key.

    Raises KeyReused. None guards nothing: the first request may be in flight.
    """
    stored = await queries.find(tx, [key])
    return unwrap([_replay(fingerprint, stored[key])]).reply if key in stored else None


async def is_known(tx: Session, key: Key) -> bool:
    """Tell whether a reply is stored with a key."""
    return key in await queries.find(tx, [key])


async def keep(tx: Session, key: Key, reply: Reply) -> None:
    """Store the reply of this transaction with its claimed key."""
    await queries.store(tx, {key: (reply.status, reply.body)})


async def forget_old(tx: Session, *, at: datetime, limit: int) -> int:
    """Delete up to ``limit`` keys older than a week: the same key is then a new request."""
    return await queries.forget(tx, at - KEPT_FOR, limit)


def parse_key(header: str | None) -> str:
    """Parse the header, bare or quoted as in the IETF draft.

    Raises KeyMissing; KeyMalformed for an unclosed quote, a character that is not visible, or a key
    that is too long.
    """
    key = (header or "").strip()
    quotes = key.startswith('"') + key.endswith('"')
    if len(key) >= 2 and quotes == 2:
        key = key[1:-1]
    elif quotes:
        raise KeyMalformed(limit=MAX_KEY, measure="characters")
    if not key:
        raise KeyMissing(limit=MAX_KEY, measure="characters")
    if len(key) > MAX_KEY or not all("!" <= char <= "~" for char in key):
        raise KeyMalformed(limit=MAX_KEY, measure="characters")
    return key


class KeyMalformed(Refusal):
    code, status, title = "idempotency.key_malformed", 422, "Idempotency-Key malformed"
    zh, en = "Idempotency-Key 格式有误", "An Idempotency-Key has up to 255 visible characters."
    fact_names = ("limit", "measure")
