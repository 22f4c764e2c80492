"""Three months of a county's past, made by the services with a clock that is set back.

In one transaction with the rest of the demonstration data, before the first job or request runs.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import time_machine

from app.core.clock import BEGINNING, local_date, midnight, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.server_clock import Reading
from app.models.activities import Category
from app.schemas.activities import ActivityIn
from app.schemas.awards.proposals import AwardsIn
from app.schemas.deductions import DeductionIn
from app.schemas.redemptions import RedemptionIn
from app.services import activities, cards, checkins, deductions, signups
from app.services.awards import proposals, review
from app.services.checkins import Scan
from app.services.merchants.access import Staff
from app.services.redemptions import charges, reservations
from app.services.redemptions.charges import ChargeCommand
from app.services.signups import Claim

T = TypeVar("T")
WEEKS = 13
NINE_O_CLOCK, LONG = timedelta(hours=9), timedelta(hours=3)
SATURDAY, WEEK = 5, timedelta(days=7)
# Of a Saturday, in turn: title, category, places, rule.
PROGRAMME = (
    ("江堤清洁志愿服务", Category.volunteer_service, 24, "volunteer_hour"),
    ("社区敬老陪伴", Category.volunteer_service, 16, "volunteer_hour"),
    ("周末读书会", Category.culture, 20, "activity_checkin"),
    ("文明交通劝导", Category.volunteer_service, 18, "volunteer_hour"),
)
AHEAD = 3  # further Saturdays, with sign-up open
# Reward, and the weeks in which alice collects it.
COLLECTED, RESERVED = {4: "soap", 8: "toothpaste"}, "tissue"
COFFEE_IN, HONOURED_IN, ABSENT_IN = (3, 9), 7, 10
COFFEE = 9  # points


@dataclass(frozen=True)
class Cast:
    """``people``: by the sandbox user. ``rewards``: ids by key."""

    street: UUID
    people: Mapping[str, UUID]
    neighbours: Sequence[UUID]
    rewards: Mapping[str, UUID]


async def live(tx: Session, cast: Cast) -> None:
    """Play the weeks up to today; alice reserves a reward, and what comes is published."""
    today = local_date(now())
    last = today - timedelta(days=(today.weekday() - SATURDAY) % 7 or 7)
    for week in range(WEEKS):
        day = last - (WEEKS - 1 - week) * WEEK
        await _week(tx, cast, week, midnight(day) + NINE_O_CLOCK)
    wanted = RedemptionIn(reward_id=cast.rewards[RESERVED])
    await reservations.reserve(tx, cast.people["alice"], wanted)
    coming = today + timedelta(days=(SATURDAY - today.weekday()) % 7 or 7)
    for week in range(WEEKS, WEEKS + AHEAD):
        starts_at = midnight(coming + (week - WEEKS) * WEEK) + NINE_O_CLOCK
        activity = await _publish(tx, cast, week, starts_at)
        await _sign_up(tx, activity, _who_comes(cast, week), now())


@contextmanager
def _at(tx: Session, moment: datetime) -> Iterator[datetime]:
    """Set the clock of the process, and what it knows of PostgreSQL's."""
    with time_machine.travel(moment, tick=False):
        tx.clock.keep(Reading(moment, moment, time.monotonic(), BEGINNING))
        try:
            yield moment
        finally:
            tx.clock.forget()


async def _week(tx: Session, cast: Cast, week: int, starts_at: datetime) -> None:
    """An activity from its publication to the evening, and what alice does with her points."""
    people = _who_comes(cast, week)
    with _at(tx, starts_at - timedelta(days=5)) as at:
        activity = await _publish(tx, cast, week, starts_at)
        await _sign_up(tx, activity, people, at)
    with _at(tx, starts_at) as at:
        present = people[: PROGRAMME[week % len(PROGRAMME)][2]]
        serial = (await activities.organized(tx, cast.people["organizer"], activity)).serial
        scans = [Scan(serial, person) for person in present]
        _held(await checkins.record(tx, scans, at))
    with _at(tx, starts_at + LONG + timedelta(hours=1)) as at:
        await _evening(tx, cast, week, at)


def _who_comes(cast: Cast, week: int) -> list[UUID]:
    """Return who signs up: alice always, the others in turn."""
    others = [one for place, one in enumerate(cast.neighbours) if (place + week) % 3]
    start = week * 5 % len(others)
    return [cast.people["alice"], *others[start:], *others[:start]][:26]


async def _publish(tx: Session, cast: Cast, week: int, starts_at: datetime) -> UUID:
    title, category, places, rule = PROGRAMME[week % len(PROGRAMME)]
    organizer = cast.people["organizer"]
    body = ActivityIn(
        org_id=cast.street,
        title=title,
        description=f"{title}，每次三小时，自备水杯。",
        category=category,
        starts_at=starts_at,
        ends_at=starts_at + LONG,
        capacity=places,
        rule_key=rule,
    )
    made = await activities.create(tx, organizer, body)
    return (await activities.publish(tx, organizer, made.id)).id


async def _sign_up(tx: Session, activity: UUID, people: Sequence[UUID], at: datetime) -> None:
    _held(await signups.claim(tx, [Claim(activity, person) for person in people], at))


async def _evening(tx: Session, cast: Cast, week: int, at: datetime) -> None:
    alice = cast.people["alice"]
    if key := COLLECTED.get(week):
        body = RedemptionIn(reward_id=cast.rewards[key])
        reserved = await reservations.reserve(tx, alice, body)
        counter = Staff(cast.people["merchant2"])
        await reservations.collect(tx, counter, reserved.pickup_code)
    if week in COFFEE_IN:
        code = (await cards.code(tx, alice)).code
        command = ChargeCommand(cast.people["merchant"], code, COFFEE, "美式咖啡")
        _held(await charges.charge(tx, [command], at))
    if week == HONOURED_IN:
        await _honour(tx, cast)
    if week == ABSENT_IN:
        breach = DeductionIn(
            rule_key="no_show",
            org_id=cast.street,
            person_id=alice,
            evidence={"activity": "文明交通劝导（早班）"},
        )
        await deductions.deduct(tx, cast.people["organizer"], breach, Uncounted())


async def _honour(tx: Session, cast: Cast) -> None:
    body = AwardsIn(
        rule_key="commendation",
        org_id=cast.street,
        person_ids=[cast.people["alice"], cast.neighbours[0]],
        evidence={"document": "三茅〔2026〕11号", "public_notice": "已公示"},
    )
    proposed = await proposals.propose(tx, cast.people["organizer"], body, Uncounted())
    for one in proposed.items:
        await review.approve(tx, cast.people["organizer2"], one.award.id)


class Uncounted:
    """Guesses of card numbers (``people.CardGuesses``): none, as people are named by their ids."""

    async def admit(self) -> None:
        pass

    async def count(self, wrong: int) -> None:
        assert not wrong


def _held(outcomes: Sequence[T | Refusal]) -> None:
    """Raise the first refusal."""
    for one in outcomes:
        if isinstance(one, Refusal):
            raise one
