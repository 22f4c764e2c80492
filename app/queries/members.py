"""SQL of members: the people of an organisation's subtree.

A person belongs to it by an act of their own: who has a place at, or checked in at, one of its
activities, lives there, or accepted an appointment in it. An award of it counts while it stands;
one that somebody proposed counts from the approval of a reviewer on, because anybody can be
proposed. For readers, whoever holds a role in it belongs too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, union_all
from sqlmodel import col, select
from sqlmodel.sql.expression import Select

from app.core.db import Session
from app.models.activities import Activity
from app.models.appointments import Appointment
from app.models.awards import Award, AwardReview, AwardState
from app.models.cards import Card
from app.models.checkins import Checkin
from app.models.merchants import Merchant
from app.models.orgs import Org
from app.models.people import Person, RoleGrant
from app.models.signups import Signup, SignupStatus
from app.queries.people import not_ended

Member = tuple[Person, Card]


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """People with ``q`` in the name, or as the name; with this serial of the card; suspended."""

    q: str | None = None
    serial: int | None = None
    suspended: bool | None = None
    is_whole_name: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    signups: int
    checkins: int
    awards: int


def _below(path: Any, org_path: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = col(path).startswith(org_path, autoescape=True)
    return found


def _stands() -> ColumnElement[bool]:
    """Whether an award waits for no review, and was neither rejected nor reversed."""
    waits_for_time = and_(
        col(Award.state) == AwardState.pending, col(Award.release_at).is_not(None)
    )
    return or_(col(Award.state).in_((AwardState.notice, AwardState.available)), waits_for_time)


def _confirmed() -> ColumnElement[bool]:
    """Whether an award follows from an act of the person, or a reviewer has approved it."""
    approval = (
        select(AwardReview.award_id)
        .where(AwardReview.award_id == Award.id, col(AwardReview.approved))
        .exists()
    )
    return or_(col(Award.proposed_by).is_(None), approval)


def _takes_part(org_path: str) -> list[Any]:
    """Return queries of who belongs to a subtree by more than a role that was given."""
    signed_up = (
        select(Signup.person_id)
        .join(Activity, col(Activity.id) == Signup.activity_id)
        .where(Signup.status != SignupStatus.cancelled)
    )
    came = select(Checkin.person_id).join(Activity, col(Activity.id) == Checkin.activity_id)
    awarded = (
        select(Award.person_id)
        .join(Org, col(Org.id) == Award.org_id)
        .where(_stands(), _confirmed())
    )
    lives = select(Person.id).join(Org, col(Org.id) == Person.community_id)
    accepted = (
        select(Appointment.accepted_by)
        .join(Org, col(Org.id) == Appointment.org_id)
        .where(col(Appointment.accepted_by).is_not(None))
    )
    return [
        signed_up.where(_below(Activity.org_path, org_path)),
        came.where(_below(Activity.org_path, org_path)),
        awarded.where(_below(Org.path, org_path)),
        lives.where(_below(Org.path, org_path)),
        accepted.where(_below(Org.path, org_path)),
    ]


def _suspended(org_path: str) -> Any:
    """Return the query of who was suspended by an organisation of a subtree."""
    suspended = select(Person.id).join(Org, col(Org.id) == Person.suspended_org_id)
    return suspended.where(_below(Org.path, org_path))


def _belongs(org_path: str) -> ColumnElement[bool]:
    holds = (
        select(RoleGrant.person_id)
        .outerjoin(Merchant, col(Merchant.id) == RoleGrant.merchant_id)
        .join(Org, col(Org.id) == func.coalesce(RoleGrant.org_id, Merchant.org_id))
        .where(not_ended(), _below(Org.path, org_path))
    )
    return col(Person.id).in_(union_all(*_takes_part(org_path), _suspended(org_path), holds))


async def page(
    session: Session, org_path: str, wanted: MemberFilter, before: UUID | None, limit: int
) -> Sequence[Member]:
    """Read people of a subtree, newest first."""
    query = _members(_belongs(org_path)).order_by(col(Person.id).desc()).limit(limit)
    name = col(Person.display_name)
    if wanted.q is not None and wanted.is_whole_name:
        query = query.where(name == wanted.q)
    elif wanted.q is not None:
        query = query.where(name.contains(wanted.q, autoescape=True))
    if wanted.serial is not None:
        query = query.where(Card.serial == wanted.serial)
    if wanted.suspended is not None:
        is_free = col(Person.suspended_at).is_(None)
        query = query.where(~is_free if wanted.suspended else is_free)
    if before is not None:
        query = query.where(col(Person.id) < before)
    return (await session.exec(query)).all()


async def find(session: Session, org_path: str, person_id: UUID) -> Member | None:
    query = _members(_belongs(org_path)).where(Person.id == person_id)
    return (await session.exec(query)).first()


async def takes_part(session: Session, org_path: str, person_id: UUID) -> bool:
    """Whether a person belongs to a subtree, and not only by a role that was given."""
    belongs = col(Person.id).in_(union_all(*_takes_part(org_path)))
    query = select(Person.id).where(Person.id == person_id, belongs)
    return (await session.exec(query)).first() is not None


async def acts(session: Session, org_path: str, person_id: UUID) -> bool:
    """Whether a person takes part in a subtree, or is suspended by it."""
    belongs = col(Person.id).in_(union_all(*_takes_part(org_path), _suspended(org_path)))
    query = select(Person.id).where(Person.id == person_id, belongs)
    return (await session.exec(query)).first() is not None


async def lock(session: Session, org_path: str, person_id: UUID) -> Member | None:
    """Lock a person whom ``find`` finds, and the card; a login of theirs waits for the commit."""
    query = _members(_belongs(org_path)).where(Person.id == person_id)
    return (await session.exec(query.with_for_update(of=[Person, Card]))).first()


def _members(belongs: ColumnElement[bool]) -> Select[Person, Card]:
    query = select(Person, Card).join(Card, col(Card.person_id) == col(Person.id))
    return query.where(belongs).execution_options(populate_existing=True)


async def counts(session: Session, org_path: str, person_id: UUID) -> Counts:
    """Count what a person has in a subtree; cancelled sign-ups do not count."""
    signups = (
        select(func.count())
        .select_from(Signup)
        .join(Activity, col(Activity.id) == Signup.activity_id)
        .where(Signup.person_id == person_id, Signup.status != SignupStatus.cancelled)
        .where(_below(Activity.org_path, org_path))
    )
    checkins = (
        select(func.count())
        .select_from(Checkin)
        .join(Activity, col(Activity.id) == Checkin.activity_id)
        .where(Checkin.person_id == person_id, _below(Activity.org_path, org_path))
    )
    awards = (
        select(func.count())
        .select_from(Award)
        .join(Org, col(Org.id) == Award.org_id)
        .where(Award.person_id == person_id, _below(Org.path, org_path))
    )
    found = [(await session.exec(query)).one() for query in (signups, checkins, awards)]
    return Counts(*found)


async def save(session: Session, row: Person | Card) -> None:
    session.add(row)
    await session.flush()
