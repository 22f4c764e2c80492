# ruff: noqa: S608 - every piece of SQL here is a constant of this file or of sealed_facts
"""SQL of redactions: sealed rows whose texts were erased with their person (decision 0030).

A redaction keeps the hash of the row before and after. So a row that is changed once more, or in
another column, is a difference like any other.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlmodel import col, select

from app.core.db import Session
from app.models.closures import Redaction
from app.models.people import Person
from app.queries.ledger.checking import Check
from app.queries.ledger.sealed_facts import FACTS, Fact
from app.queries.ledger.sealing_facts import key_and_hash

# By fact: SQL of the person whose texts its rows hold.
_PERSON = {
    "award": "r.person_id",
    "review": "a.person_id",
    "deduction": "r.person_id",
    "decision of a case": "r.created_by",
    "audit entry": "s.person_id",
    "correction of a check-in": "k.person_id",
}
# What an audit entry is about, as in the function ``erase_texts`` of the database.
_SUBJECTS = """
JOIN (
    SELECT 'award' AS noun, id, person_id FROM awards
    WHERE person_id = ANY(CAST(:people AS uuid[]))
    UNION ALL SELECT 'deduction', id, person_id FROM deductions
    WHERE person_id = ANY(CAST(:people AS uuid[]))
    UNION ALL SELECT 'case', id, created_by FROM cases
    WHERE created_by = ANY(CAST(:people AS uuid[]))
    UNION ALL SELECT 'person', one, one FROM unnest(CAST(:people AS uuid[])) AS one
    UNION ALL SELECT 'card', one, one FROM unnest(CAST(:people AS uuid[])) AS one
    UNION ALL SELECT 'signup', id, person_id FROM signups
    WHERE person_id = ANY(CAST(:people AS uuid[]))
    UNION ALL SELECT 'checkin', id, person_id FROM checkins
    WHERE person_id = ANY(CAST(:people AS uuid[]))
    UNION ALL SELECT 'redemption', id, person_id FROM redemptions
    WHERE person_id = ANY(CAST(:people AS uuid[]))
    UNION ALL SELECT 'person_category', id, person_id FROM person_categories
    WHERE person_id = ANY(CAST(:people AS uuid[]))
    UNION ALL SELECT 'merchant', id, applied_by FROM merchants
    WHERE applied_by = ANY(CAST(:people AS uuid[]))
) s ON s.noun = r.subject_type AND s.id = r.subject_id
"""
# By fact: SQL of the join that names the person, if the fact has none.
_JOINS = {
    "audit entry": _SUBJECTS,
    "correction of a check-in": "JOIN checkins k ON k.id = r.checkin_id",
}
REDACTED = tuple(fact for fact in FACTS if fact.name in _PERSON)

Hashes = Mapping[bytes, tuple[UUID, bytes]]  # by key: the person, and the hash of the row

REDACTION_CHECKS = (
    Check(
        "redactions: each is of a person who was erased",
        """
        SELECT 'redaction ' || r.fact || ' ' || encode(r.key, 'hex') AS subject,
               'an erased person' AS expected, CAST(r.person_id AS text) AS found
        FROM ledger_redactions r JOIN people p ON p.id = r.person_id
        WHERE p.erased_at IS NULL
        """,
    ),
)

_ADD = """
INSERT INTO ledger_redactions (fact, key, before, after, person_id)
SELECT CAST(:fact AS text), k.key, k.before, k.after, k.person_id
FROM unnest(CAST(:keys AS bytea[]), CAST(:befores AS bytea[]), CAST(:afters AS bytea[]),
            CAST(:people AS uuid[])) AS k(key, before, after, person_id)
ON CONFLICT DO NOTHING
"""


async def hashes(session: Session, fact: Fact, people: Sequence[UUID]) -> Hashes:
    """Read the hashes of the rows of a fact that hold texts of these people."""
    person = _PERSON[fact.name]
    rows = await session.fetch(
        f"""
        SELECT {person} AS person_id, {key_and_hash(fact)}
        FROM {fact.model.__tablename__} r {fact.join} {_JOINS.get(fact.name, "")}
        WHERE {fact.where} AND {person} = ANY(CAST(:people AS uuid[]))
        """,
        {"people": list(people)},
    )
    return {bytes(row.key): (row.person_id, bytes(row.hash)) for row in rows}


async def add(session: Session, fact: Fact, before: Hashes, after: Hashes) -> int:
    """Keep what the rows that have changed were before; return how many."""
    changed = [key for key, one in after.items() if key in before and before[key] != one]
    if changed:
        values = {
            "keys": changed,
            "befores": [before[key][1] for key in changed],
            "afters": [after[key][1] for key in changed],
            "people": [after[key][0] for key in changed],
        }
        await session.fetch(_ADD, values | {"fact": fact.name})
    return len(changed)


async def of(
    session: Session, fact: Fact, keys: Sequence[bytes]
) -> dict[bytes, tuple[bytes, bytes]]:
    """Read the redactions of rows of erased people: the hashes before and after, by key."""
    if not keys:
        return {}
    query = (
        select(Redaction.key, Redaction.before, Redaction.after)
        .join(Person, col(Person.id) == col(Redaction.person_id))
        .where(Redaction.fact == fact.name, col(Redaction.key).in_(keys))
        .where(col(Person.erased_at).is_not(None))
    )
    return {key: (before, after) for key, before, after in await session.exec(query)}
