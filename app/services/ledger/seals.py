"""Seals: a daily hash over all entries, chained to the previous day; anyone can verify it.

``proof`` returns the path from an entry to the published root of its day;
docs/check_proof.py verifies it with Python alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from app.core.clock import local_date, midnight
from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, keyset
from app.models.ledger import Purpose
from app.queries.ledger import closing as closing_queries
from app.queries.ledger import posting as posting_queries
from app.queries.ledger import sealing as sealing_queries
from app.queries.ledger.sealing import ARITY, LEVELS, Sealed
from app.schemas.seals import ProofLevel, ProofOut, SealOut
from app.services.ledger import sealed_facts
from app.services.ledger.sealed_facts import A_DAY, Wrong

# More than any two clocks of hosts that post may differ (moments.TOLERANCE, twice).
GRACE = timedelta(minutes=5)
GENESIS = bytes(32)
FIRST_VERSION, VERSION = 1, 2  # without and with facts
EMPTY = hashlib.sha256(b"").digest()


class EntryNotFound(Refusal):
    code, status, title = "ledger.entry_not_found", 404, "No such entry"
    zh, en = "存折中没有这一笔", "Your passbook has no entry of this number."


class NotSealedYet(Refusal):
    code, status, title = "ledger.not_sealed_yet", 409, "Not sealed yet"
    zh, en = "该日账目将在次日封存", "The day of this entry is sealed after it is over."
    fact_names = ("day", "opens_at")


async def days_to_seal(tx: Session, at: datetime) -> list[date]:
    """Return the days that are over and not sealed, oldest first, without gaps."""
    last = await sealing_queries.last_seal(tx)
    day = last.day + A_DAY if last else await sealing_queries.first_day(tx)
    days = []
    while day is not None and _bounds(day)[1] + GRACE <= at:
        days.append(day)
        day += A_DAY
    return days


async def close_days(tx: Session, days: list[date]) -> None:
    """Let no transfer enter these days that is written after this transaction has committed."""
    await closing_queries.close_days(tx, days)


async def last_transaction(tx: Session) -> int:
    """Return what ``may_seal`` waits for, after the transaction that closed the days."""
    return await closing_queries.next_transaction(tx)


async def may_seal(tx: Session, since: int) -> bool:
    """Tell whether every transaction is over that may have begun before the days were closed."""
    return await closing_queries.all_are_over_before(tx, since)


async def seal_day(tx: Session, day: date) -> bool:
    """Seal a closed day; False if it is sealed already. Days are sealed in order."""
    await sealing_queries.lock_sealing(tx)
    last = await sealing_queries.last_seal(tx)
    if last is not None and last.day >= day:
        return False
    assert last is None or last.day == day - A_DAY, "no day is left out"
    made = await sealing_queries.seal_nodes(tx, day, *_bounds(day))
    root, leaves = made or (EMPTY, 0)
    facts, facts_root = await sealed_facts.seal(
        tx, day, everything=last is None or last.version == FIRST_VERSION
    )
    previous = last.seal if last else GENESIS
    sealed = Sealed(day, leaves, root, previous, b"", VERSION, facts, facts_root)
    sealed = replace(sealed, seal=seal_hash(sealed))
    return await sealing_queries.insert_seal(tx, sealed)


def seal_hash(one: Sealed) -> bytes:
    """Return the hash of the previous seal, the date, the leaves, and the root.

    From version 2 on followed by the facts and their root.
    """
    of_day = one.previous + f"{one.day}|{one.leaves}|".encode() + one.root
    if one.version == FIRST_VERSION:
        return hashlib.sha256(b"\x02" + of_day).digest()
    assert one.facts_root is not None, "a CHECK demands it"
    return hashlib.sha256(b"\x03" + of_day + f"|{one.facts}|".encode() + one.facts_root).digest()


async def browse(tx: Session, asked: PageParams) -> Page[SealOut]:
    """Return published seals, newest first."""
    return await keyset(
        asked,
        (date,),
        lambda after, limit: sealing_queries.seals(tx, after[0] if after else None, limit),
        to_out,
        lambda one: (one.day,),
    )


async def proof(tx: Session, person_id: UUID, unit: int, number: int) -> ProofOut:
    """Return the path from an entry of the person's passbook to the root of its day.

    Raises EntryNotFound, NotSealedYet.
    """
    account = await posting_queries.account_id(tx, person_id, Purpose.available, unit)
    entry = await sealing_queries.sealed_entry(tx, account, number) if account is not None else None
    if entry is None:
        raise EntryNotFound
    day = local_date(entry.created_at)
    sealed = await sealing_queries.seal_of(tx, day)
    if sealed is None:
        raise NotSealedYet(day=day, opens_at=_bounds(day)[1] + GRACE)
    n, leaves = await sealing_queries.leaves_around(tx, day, *_bounds(day), entry.side, entry.id)
    place = [(side, transfer) for side, transfer, _ in leaves].index((entry.side, entry.id))
    path = [_level(place, [node for _, _, node in leaves])]
    for level in range(1, LEVELS):
        nodes = await sealing_queries.nodes_around(tx, day, level, n // ARITY)
        path.append(_level(n % ARITY, nodes))
        n //= ARITY
    return ProofOut(transfer=entry.transfer, entry=entry.entry, path=path, sealed=to_out(sealed))


def _level(place: int, nodes: list[bytes]) -> ProofLevel:
    return ProofLevel(place=place, nodes=[node.hex() for node in nodes])


def to_out(sealed: Sealed) -> SealOut:
    """Return what is published of a seal."""
    return SealOut(
        day=sealed.day,
        leaves=sealed.leaves,
        root=sealed.root.hex(),
        previous=sealed.previous.hex(),
        seal=sealed.seal.hex(),
        version=sealed.version,
        facts=sealed.facts,
        facts_root=sealed.facts_root.hex() if sealed.facts_root else None,
    )


def _bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first instant of a Shanghai day and of the next."""
    return midnight(day), midnight(day + A_DAY)


def broken_chain(sealed: Sequence[Sealed]) -> list[Wrong]:
    """Recompute the chain of days; return what differs."""
    found: list[Wrong] = []
    previous, expected_day, version = GENESIS, None, FIRST_VERSION
    for one in sealed:
        where = f"seal of {one.day}"
        if expected_day is not None and one.day != expected_day:
            found.append((where, f"the day after {expected_day - A_DAY}", str(one.day)))
        if one.previous != previous:
            found.append((where, previous.hex(), one.previous.hex()))
        if one.version < version:
            found.append((where, f"version {version}", f"version {one.version}"))
        correct = seal_hash(one)
        if one.seal != correct:
            found.append((where, correct.hex(), one.seal.hex()))
        previous, expected_day, version = one.seal, one.day + A_DAY, one.version
    return found


async def broken_tree(tx: Session, one: Sealed) -> list[Wrong]:
    """Recompute the tree of a sealed day; return what differs."""
    where = f"seal of {one.day}"
    root, different = await sealing_queries.check_nodes(tx, one.day, *_bounds(one.day))
    found: list[Wrong] = [
        (where, "the tree of that day's entries", f"node {n} of level {level} differs")
        for level, n in different
    ]
    if (root or EMPTY) != one.root:
        found.append((where, "the root of its tree", one.root.hex()))
    return found
