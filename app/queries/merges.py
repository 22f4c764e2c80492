"""SQL of merges: what stands in the way of one, and whose accounts lead to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, or_, select

from app.core.db import Session
from app.models.awards import AwardState
from app.models.cards import Card
from app.models.ledger import Account, Purpose
from app.models.merges import Merge, MergeState
from app.models.people import Person
from app.queries.awards.granting import WAITS_FOR_REVIEW

# As SQL: seven counts in one statement.
_BLOCKERS = f"""
SELECT
    (SELECT count(*) FROM redemptions WHERE person_id = :absorbed AND status = 'reserved')
        + (SELECT count(*) FROM charges WHERE person_id = :absorbed AND status = 'waiting')
        AS reservations,
    (SELECT count(*) FROM awards WHERE person_id = :absorbed
       AND (state IN ('{AwardState.pending}', '{AwardState.notice}') OR {WAITS_FOR_REVIEW}))
        AS awards,
    (SELECT count(*) FROM cases WHERE created_by = :absorbed AND state <> 'closed') AS cases,
    (SELECT count(*) FROM deductions WHERE person_id = :absorbed AND state <> 'revoked'
       AND appeal_until > CAST(:at AS timestamptz)) AS deductions,
    (SELECT count(*) FROM closures WHERE person_id IN (:absorbed, :kept)) AS closures,
    (SELECT count(*) FROM people p JOIN cards c ON c.person_id = p.id
     WHERE p.id IN (:absorbed, :kept) AND (p.suspended_at IS NOT NULL
       OR p.merged_into_id IS NOT NULL OR c.status = 'suspended')) AS suspended
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Blockers:
    """What keeps a merge from being confirmed, as numbers.

    Of the absorbed person: reservations and charges that wait, awards that wait for reviewers or
    for their time, open cases, and deductions that may be appealed. Of both: accounts that are
    about to be closed or were; that are suspended themselves or by their card, or were merged.
    """

    reservations: int
    awards: int
    cases: int
    deductions: int
    closures: int
    suspended: int


async def blockers(session: Session, absorbed: UUID, kept: UUID, at: datetime) -> Blockers:
    wanted = {"absorbed": absorbed, "kept": kept, "at": at}
    return Blockers(**(await session.fetch(_BLOCKERS, wanted))[0])


async def open_of(session: Session, absorbed: UUID) -> Merge | None:
    """Read the proposal to absorb a person that is not decided."""
    query = select(Merge).where(Merge.absorbed_id == absorbed, Merge.state == MergeState.proposed)
    return (await session.exec(query)).first()


async def lock_people(session: Session, people: Sequence[UUID]) -> dict[UUID, tuple[Person, Card]]:
    """Lock people and their cards, in the order of their ids."""
    query = (
        select(Person, Card)
        .join(Card, col(Card.person_id) == col(Person.id))
        .where(col(Person.id).in_(people))
        .order_by(col(Person.id))
        .with_for_update()
    )
    return {person.id: (person, card) for person, card in await session.exec(query)}


async def parties(session: Session, people: Sequence[UUID]) -> dict[UUID, tuple[str, int]]:
    """Read names and serials of cards."""
    query = select(Person.id, Person.display_name, Card.serial).join(
        Card, col(Card.person_id) == col(Person.id)
    )
    rows = await session.exec(query.where(col(Person.id).in_(people)))
    return {person: (name, serial) for person, name, serial in rows}


async def lead(session: Session, absorbed: UUID, kept: UUID) -> None:
    """Let a person, and whoever was merged into them before, lead to another person."""
    merged = update(Person).where(
        or_(col(Person.id) == absorbed, col(Person.merged_into_id) == absorbed)
    )
    await session.execute(merged.values(merged_into_id=kept))


async def lapsing(session: Session, at: datetime, limit: int) -> list[Merge]:
    """Lock proposals whose time is over, and that no other worker has locked."""
    query = (
        select(Merge)
        .where(Merge.state == MergeState.proposed, Merge.lapses_at <= at)
        .order_by(col(Merge.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(await session.exec(query))


async def with_arrivals(session: Session) -> list[Merge]:
    """Read the confirmed merges whose absorbed person has something again."""
    query = (
        select(Merge)
        .join(Account, col(Account.owner_id) == col(Merge.absorbed_id))
        .where(Merge.state == MergeState.confirmed, Account.balance != 0)
        .where(col(Account.purpose).in_([Purpose.available, Purpose.debt]))
        .distinct()
        .order_by(col(Merge.id))
    )
    return list(await session.exec(query))


async def forget_texts(session: Session, people: Sequence[UUID]) -> None:
    """Erase the reasons of merges of people."""
    theirs = or_(col(Merge.absorbed_id).in_(people), col(Merge.kept_id).in_(people))
    await session.execute(update(Merge).where(theirs).values(reason=None, answer=None))
