"""Idempotency keys: a phone that lost the reply repeats the request and gets the first reply.

The key is claimed in the transaction of the work, so it is kept exactly when the work is.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.queries import idempotency as queries
from app.queries.idempotency import Key, StoredReply

MAX_KEY = 255
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

    ``instead`` is what a new key gets in place of the work: a caller that has to wait
    still gets the reply to a request that was done.
    """

    key: Key
    fingerprint: bytes
    command: C
    render: Callable[[R | Refusal], Reply]
    instead: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Replied:
    """``refusal`` is what the work refused just now; None for a replay."""

    reply: Reply
    refusal: Refusal | None = None
    is_replay: bool = False


async def run(
    tx: Session,
    attempts: Sequence[Attempt[C, R]],
    work: Callable[[list[C]], Awaitable[Sequence[R | Refusal]]],
) -> list[Replied | Refusal]:
    """Do each command once for its key, the work as one list; one outcome each.

    The keys are claimed in the transaction of the work, so a key is kept exactly when the
    work is. A refusal is a reply too and is kept; a failure, or a "try again later", is
    not. Outcomes: Replied; KeyReused for another body, KeyInFlight, or a refusal that is
    not kept.
    """
    first: dict[Key, Attempt[C, R]] = {}
    for one in attempts:
        first.setdefault(one.key, one)
    known = await _known(tx, {key: one.fingerprint for key, one in first.items()})
    new = [one for key, one in first.items() if key not in known]
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
        _replay(one.fingerprint, known[one.key])
        if one.key in known
        else _outcome(one, first[one.key], done[one.key])
        for one in attempts
    ]


async def _known(tx: Session, fingerprints: dict[Key, bytes]) -> dict[Key, StoredReply | None]:
    """Claim the keys; return what is kept beside those that were taken.

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


def _outcome(
    one: Attempt[C, R], first: Attempt[C, R], done: Replied | Refusal
) -> Replied | Refusal:
    """Say to the second of a list with the same key what a later repeat would be told."""
    if one is first or isinstance(done, Refusal):
        return done
    if one.fingerprint != first.fingerprint:
        return KeyReused()
    return Replied(done.reply, is_replay=True)


def is_final(refusal: Refusal) -> bool:
    """Tell whether a refusal is a reply to keep, and not a failure or a "try again later"."""
    return refusal.status < 500 and refusal.retry_after is None


async def claim(tx: Session, key: Key, fingerprint: bytes) -> Reply | None:
    """Claim a key for the work of this transaction; return the reply that it has already.

    Raises KeyReused (the key was used for another request), KeyInFlight.
    """
    known = await _known(tx, {key: fingerprint})
    return unwrap([_replay(fingerprint, known[key])]).reply if key in known else None


async def keep(tx: Session, key: Key, reply: Reply) -> None:
    """Store the reply to the work of this transaction beside its claimed key."""
    await queries.store(tx, {key: (reply.status, reply.body)})


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
