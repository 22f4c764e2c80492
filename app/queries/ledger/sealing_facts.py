# ruff: noqa: S608 - every piece of SQL here is a constant of this file or of sealed_facts
"""SQL that seals the facts of a day, and compares sealed facts with their rows.

A row's hash is SHA-256 of its sealed columns in PostgreSQL's binary form (``record_send``): it has
the lengths and the NULLs, so that no two rows have the same form, and no time zone. The entries of
a fact and day are key and hash of each row, in the order of the keys: they name a changed row. The
digest of the entries is under the seal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlmodel import SQLModel, col

from app.core.db import Session
from app.models.seals import SealedFact
from app.queries.ledger.sealed_facts import Fact

HASH = 32  # bytes
EPOCH = date(2000, 1, 1)  # of PostgreSQL's dates in binary form


@dataclass(frozen=True, slots=True)
class Sum:
    """The facts of one kind and day: how many, and the digest of their entries."""

    day: date
    fact: str
    number: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column of a primary key: the function that writes its ``width`` bytes."""

    name: str
    send: str
    width: int

    def read(self, raw: bytes) -> str:
        if self.send == "uuid_send":
            return str(UUID(bytes=raw))
        number = int.from_bytes(raw, signed=True)
        return str(EPOCH + timedelta(days=number)) if self.send == "date_send" else str(number)


_SENT = {UUID: ("uuid_send", 16), int: ("int4send", 4), date: ("date_send", 4)}


def key_of(model: type[SQLModel]) -> list[KeyColumn]:
    """Return the primary key of a table with facts."""
    table = SQLModel.metadata.tables[str(model.__tablename__)]
    return [KeyColumn(one.name, *_SENT[one.type.python_type]) for one in table.primary_key]


def key_and_hash(fact: Fact) -> str:
    """Return SQL of the key and the hash of a row, as ``key`` and ``hash``."""
    key = " || ".join(f"{one.send}(r.{one.name})" for one in key_of(fact.model))
    values = [fact.instead.get(name, f"r.{name}") for name in fact.columns] + list(fact.also)
    return f"{key} AS key, sha256(record_send(ROW({', '.join(values)}))) AS hash"


def _of_day(fact: Fact) -> str:
    """Return SQL of the facts from ``:since`` to ``:until``, by day."""
    return f"""
    SELECT day, count(*) AS number, string_agg(key || hash, ''::bytea ORDER BY key) AS entries
    FROM (
        SELECT CAST({fact.dated} AT TIME ZONE 'Asia/Shanghai' AS date) AS day,
               {key_and_hash(fact)}
        FROM {fact.model.__tablename__} r {fact.join}
        WHERE {fact.where} AND {fact.dated} >= CAST(:since AS timestamptz)
          AND {fact.dated} < CAST(:until AS timestamptz)
        ORDER BY 1, 2
    ) rows GROUP BY day
    """


async def seal(
    session: Session, fact: Fact, seal_day: date, since: datetime, until: datetime
) -> list[Sum]:
    """Keep the entries of a fact that belong under the seal of ``seal_day``; return their sums."""
    statement = f"""
    INSERT INTO ledger_sealed_facts (day, fact, seal_day, number, digest, entries)
    SELECT day, CAST(:fact AS text), CAST(:seal_day AS date), number, sha256(entries), entries
    FROM ({_of_day(fact)}) d
    RETURNING day, fact, number, digest
    """
    params = {"fact": fact.name, "seal_day": seal_day, "since": since, "until": until}
    return [Sum(**row) for row in await session.fetch(statement, params)]


async def kept(session: Session, since: date) -> Mapping[date, list[Sum]]:
    """Read the sums that were kept, of facts from a day on, by the day of their seal."""
    query = select(
        col(SealedFact.seal_day),
        col(SealedFact.day),
        col(SealedFact.fact),
        col(SealedFact.number),
        col(SealedFact.digest),
    ).where(col(SealedFact.seal_day) >= since)
    found: dict[date, list[Sum]] = {}
    for row in await session.execute(query):
        one = Sum(row.day, row.fact, row.number, row.digest)
        found.setdefault(row.seal_day, []).append(one)
    return found


async def kinds(session: Session) -> set[str]:
    """Return the names of the facts that any seal covers."""
    return set((await session.execute(select(col(SealedFact.fact)).distinct())).scalars())


async def sums(session: Session, fact: Fact, since: datetime, until: datetime) -> list[Sum]:
    """Recompute the sums of a fact from its rows, by day."""
    # The width of the range decides the plan, which is otherwise one for all (``probing.tune``).
    await session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    rows = await session.fetch(
        f"SELECT day, number, sha256(entries) AS digest FROM ({_of_day(fact)}) d",
        {"since": since, "until": until},
    )
    await session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
    return [Sum(fact=fact.name, **row) for row in rows]


async def rows_of(
    session: Session, fact: Fact, since: datetime, until: datetime
) -> dict[bytes, bytes]:
    """Recompute the hashes of a day's rows, by key."""
    found = await session.fetch(_of_day(fact), {"since": since, "until": until})
    return _split(fact, bytes(found[0].entries)) if found else {}


async def kept_rows(session: Session, fact: Fact, day: date) -> tuple[dict[bytes, bytes], bool]:
    """Read the kept hashes of a day's rows by key, and whether they have the kept digest."""
    rows = await session.fetch(
        "SELECT entries, sha256(entries) = digest AS whole FROM ledger_sealed_facts"
        " WHERE day = CAST(:day AS date) AND fact = CAST(:fact AS text)",
        {"day": day, "fact": fact.name},
    )
    return (_split(fact, bytes(rows[0].entries)), rows[0].whole) if rows else ({}, True)


async def may_be_gone(session: Session, fact: Fact, keys: Sequence[bytes]) -> set[bytes]:
    """Return the keys of rows that were rightly deleted after they were sealed."""
    if fact.gone is None or not keys:
        return set()
    rows = await session.fetch(fact.gone, {"ids": [UUID(bytes=key) for key in keys]})
    return {row.id.bytes for row in rows}


def named(fact: Fact, key: bytes) -> str:
    """Return the words for a row: "award 0190…", "closed month <organisation> 1 2026-10-01"."""
    words, place = [fact.name], 0
    for one in key_of(fact.model):
        words.append(one.read(key[place : place + one.width]))
        place += one.width
    return " ".join(words)


def _split(fact: Fact, entries: bytes) -> dict[bytes, bytes]:
    key = sum(one.width for one in key_of(fact.model))
    step = key + HASH
    return {
        entries[place : place + key]: entries[place + key : place + step]
        for place in range(0, len(entries), step)
    }
