"""People: their roles, their age, and masked names."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Protocol
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import CLOSED_ACCOUNT
from app.core.validation_messages import invalid
from app.models.cards import serial_of
from app.models.people import Person, Role
from app.queries import cards as card_queries
from app.queries import children as child_queries
from app.queries import people as queries

LEADERBOARD_MIN_AGE = 14


class Forbidden(Refusal):
    code, status, title = "auth.forbidden", 403, "Forbidden"
    zh, en = "您没有执行此操作的权限", "You may not do this."


class PersonNotFound(Refusal):
    code, status, title = "people.not_found", 404, "No such person"
    zh, en = "人员不存在", "There is no such person."


class PersonMerged(Refusal):
    code, status, title = "people.merged", 409, "Account merged"
    zh = "该账号已并入本人的另一账号，请按保留的账号办理"
    en = "The account was merged into another one of the person; name that one."


class CardGuesses(Protocol):
    """Counts unknown card numbers, so that nobody can find out which ones exist."""

    async def admit(self) -> None:
        """Raise a refusal for a caller who guessed wrong too often."""

    async def count(self, wrong: int) -> None:
        """Count wrong guesses."""


# Roles that may act for an organisation: draft, propose, review, deduct.
ORGANIZERS = [Role.organizer, Role.administrator]
# Roles that may read the records of an organisation.
READERS = [*ORGANIZERS, Role.auditor]


async def require_role(
    tx: Session, person_id: UUID, roles: Collection[Role], org_path: str
) -> None:
    """Raise Forbidden unless the person holds one of the roles at the organisation or above."""
    if not await queries.has_role_at(tx, person_id, roles, org_path):
        raise Forbidden


async def holds(
    tx: Session, person_id: UUID | None, roles: Collection[Role], org_path: str
) -> bool:
    """Return whether a person holds one of the roles at the organisation or above."""
    return person_id is not None and await queries.has_role_at(tx, person_id, roles, org_path)


async def roles(tx: Session, people: Sequence[UUID]) -> list[set[Role]]:
    """Return the roles that each of the people holds at any organisation."""
    held = await queries.roles_held(tx, sorted(set(people)))
    return [held.get(one, set()) for one in people]


async def is_any_of(tx: Session, person_id: UUID, *others: UUID | None) -> bool:
    """Return whether one of these is the person, by any account, or a child in the person's care.

    Whatever nobody may decide about their own asks this: accounts are merged (decision 0036), and
    a child's points are the guardian's business too (0047).
    """
    if person_id in others:
        return True
    named = {one for one in others if one is not None}
    return bool(named) and not named.isdisjoint(await own(tx, person_id))


async def own(tx: Session, person_id: UUID) -> set[UUID]:
    """Return all accounts of a person, and the children in the person's care."""
    accounts = await queries.family(tx, person_id)
    return {*accounts, *await child_queries.of_guardians(tx, accounts)}


async def require_no_part(
    tx: Session, person_id: UUID, parties: Mapping[UUID, type[Refusal]]
) -> None:
    """Raise the refusal of a party that is the person, by any account."""
    for party, refusal in parties.items():
        if await is_any_of(tx, person_id, party):
            raise refusal


def is_under_14(birth_date: date | None) -> bool:
    """Return whether a person is under 14 (PIPL 28: sensitive data); without birth date False."""
    if birth_date is None:
        return False
    today = local_date(now())
    had_birthday = (today.month, today.day) >= (birth_date.month, birth_date.day)
    return today.year - birth_date.year - (not had_birthday) < LEADERBOARD_MIN_AGE


def born_by(person: Person) -> date | None:
    """Return the latest day on which a person was born, as far as it is known."""
    if person.birth_date is not None or person.birth_year is None:
        return person.birth_date
    return date(person.birth_year, 12, 31)


def masked(name: str) -> str:
    """Mask a name for public lists: ``王*四``, ``*三``. That of a closed account is nobody's."""
    if name == CLOSED_ACCOUNT.zh:
        return name
    if len(name) <= 1:
        return "*"
    if len(name) == 2:
        return "*" + name[-1]
    return name[0] + "*" + name[-1]


def require_no_name(q: str | None) -> None:
    """Raise Invalid for a search by name where names are masked.

    What is found would confirm a name that was guessed.
    """
    if q is not None:
        raise invalid("query.q", "审计人员请按卡号查找", "auditors search by card number alone")


async def require_known(tx: Session, named: Collection[UUID]) -> None:
    """Raise PersonNotFound unless all are people, PersonMerged if an account was merged."""
    if await queries.existing(tx, sorted(named)) != set(named):
        raise PersonNotFound
    await require_not_merged(tx, named)


async def require_not_merged(tx: Session, named: Collection[UUID]) -> None:
    """Raise PersonMerged if one of the accounts was merged into another."""
    if await queries.kept(tx, sorted(named)):
        raise PersonMerged


def serial_named(card_no: str, field: str) -> int:
    """Return the serial of a card's number. Raises Invalid, for this field of the request."""
    serial = serial_of(card_no)
    if serial is None:
        raise invalid(field, "卡号有误", "not the number of a card")
    return serial


async def holder(tx: Session, serial: int | None) -> UUID:
    """Return whose card it is. Raises PersonNotFound, also for no serial."""
    found = (await card_queries.holders(tx, [serial])).get(serial) if serial is not None else None
    if found is None:
        raise PersonNotFound
    return found


async def named(tx: Session, person_id: UUID | None, card_no: str | None) -> UUID:
    """Return who is named by id or by card. Raises Invalid, PersonNotFound, PersonMerged."""
    if card_no is not None:
        person_id = await holder(tx, serial_named(card_no, "body.card_no"))
    if person_id is None:
        raise PersonNotFound
    await require_known(tx, [person_id])
    return person_id


async def by_card(tx: Session, numbers: Collection[str], guesses: CardGuesses) -> dict[str, UUID]:
    """Return whose cards have these numbers; a number of nobody is left out, and is a guess.

    A mistyped number is left out by its check digit, without a look at the cards. Raises what
    ``guesses`` raises.
    """
    serials = {one: serial for one in numbers if (serial := serial_of(one)) is not None}
    if not serials:
        return {}
    await guesses.admit()
    holders = await card_queries.holders(tx, sorted(set(serials.values())))
    await guesses.count(len(set(serials.values())) - len(holders))
    return {one: holders[serial] for one, serial in serials.items() if serial in holders}
