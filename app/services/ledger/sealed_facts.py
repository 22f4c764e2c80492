"""Facts under the seals: what is kept of them has the sealed root, and the rows are unchanged."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from app.core.clock import BEGINNING, midnight
from app.core.db import Session
from app.queries.ledger import redactions
from app.queries.ledger import sealing_facts as queries
from app.queries.ledger.sealed_facts import FACTS, Fact
from app.queries.ledger.sealing import Sealed
from app.queries.ledger.sealing_facts import Sum

A_DAY = timedelta(days=1)
Wrong = tuple[str, str, str]  # where, expected, found


async def seal(tx: Session, day: date, *, everything: bool) -> tuple[int, bytes]:
    """Keep the hashes of a closed day's facts; return how many, and their root.

    ``everything``: also those of the days before, under the first seal that has facts. So are
    those of a newer fact, under the first seal that has it.
    """
    known = await queries.kinds(tx)
    found: list[Sum] = []
    for fact in FACTS:
        is_first = everything or (fact.is_newer and fact.name not in known)
        since = BEGINNING if is_first else midnight(day)
        found += await queries.seal(tx, fact, day, since, midnight(day + A_DAY))
    return sum(one.number for one in found), root_of(found)


def root_of(found: Iterable[Sum]) -> bytes:
    """Return SHA-256 of a line for each day and fact, in this order."""
    lines = sorted((f"{one.day}", one.fact, one.number, one.digest.hex()) for one in found)
    text = "".join(f"{day}|{fact}|{number}|{digest}\n" for day, fact, number, digest in lines)
    return hashlib.sha256(text.encode()).digest()


def changed_roots(seals: Sequence[Sealed], kept: Mapping[date, Sequence[Sum]]) -> list[Wrong]:
    """Compare what is kept of the facts with their root in each seal."""
    found = [
        (f"facts of the seal of {day}", "none: there is no such seal", "some")
        for day in sorted(kept.keys() - {one.day for one in seals})
    ]
    for one in seals:
        if one.facts_root is None and not kept.get(one.day):
            continue
        sums = kept.get(one.day, ())
        number = sum(sum_.number for sum_ in sums)
        if (root_of(sums), number) != (one.facts_root, one.facts):
            root = one.facts_root.hex() if one.facts_root else "no root"
            expected = f"{one.facts} facts under {root}"
            found.append((f"facts of the seal of {one.day}", expected, f"{number} under another"))
    return found


async def changed_rows(
    tx: Session, fact: Fact, kept: Sequence[Sum], since: datetime, until: datetime
) -> list[Wrong]:
    """Recompute a fact's rows of these days; name those that were changed, added or deleted.

    A row whose texts were erased with its person is as sealed (decision 0030).
    """
    before = {one.day: one.digest for one in kept if one.fact == fact.name}
    after = {one.day: one.digest for one in await queries.sums(tx, fact, since, until)}
    found: list[Wrong] = []
    for day in sorted(before.keys() | after.keys()):
        if before.get(day) != after.get(day):
            found += await _changed_in(tx, fact, day)
    return found


async def _changed_in(tx: Session, fact: Fact, day: date) -> list[Wrong]:
    kept, whole = await queries.kept_rows(tx, fact, day)
    rows = await queries.rows_of(tx, fact, midnight(day), midnight(day + A_DAY))
    gone = await queries.may_be_gone(tx, fact, sorted(kept.keys() - rows.keys()))
    changed = sorted(key for key in kept.keys() & rows.keys() if rows[key] != kept[key])
    redacted = await redactions.of(tx, fact, changed)
    sealed = f"as sealed on {day}: {', '.join(fact.columns)}"
    found: list[Wrong] = []
    if not whole:
        found.append((f"{fact.name}, {day}", "the entries that were sealed", "other entries"))
    for key in sorted(kept.keys() | rows.keys()):
        where = queries.named(fact, key)
        if key not in rows and key not in gone:
            found.append((where, sealed, f"no row of {day}"))
        elif key not in kept:
            found.append((where, f"no such fact of {day}", "a row"))
        elif key in changed and redacted.get(key) != (kept[key], rows[key]):
            found.append((where, sealed, "another value of one of them"))
    return found
