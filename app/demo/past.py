"""Three months of a county's past, made by the services with a clock that is set back.

In one transaction with the rest of the demonstration data, before the first job or request runs.
"""

from datetime import date, datetime, timedelta
from uuid import UUID

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.demo import market, offices, places, programme, residents, settled, today
from app.demo.county import County, Uncounted, clock_at, held
from app.models.activities import Category
from app.schemas.activities import ActivityIn
from app.schemas.awards.proposals import AwardsIn
from app.schemas.deductions import AppealDecisionIn, AppealIn, DeductionIn
from app.schemas.redemptions import RedemptionIn
from app.services import activities, cards, checkins, deductions
from app.services.awards import proposals, release, review
from app.services.checkins import Scan
from app.services.merchants.access import Staff
from app.services.redemptions import charges, collecting, reservations
from app.services.redemptions.charges import ChargeCommand

WEEKS = 13
NINE_O_CLOCK, LONG = timedelta(hours=9), timedelta(hours=3)
SATURDAY, WEEK, SIX_DAYS = 5, timedelta(days=7), timedelta(days=6)
# Of a Saturday, in turn: title, category, places, rule, where, motif of the cover.
PROGRAMME = (
    (
        *("江堤清洁志愿服务", Category.volunteer_service, 24, "volunteer_hour"),
        *(places.EMBANKMENT, "river"),
    ),
    (
        *("社区敬老陪伴", Category.volunteer_service, 16, "volunteer_hour"),
        *(places.ELDERLY_HOME, "people"),
    ),
    ("周末读书会", Category.culture, 20, "activity_checkin", places.LIBRARY, "book"),
    (
        *("文明交通劝导", Category.volunteer_service, 18, "volunteer_hour"),
        *(places.CROSSING, "house"),
    ),
)
COVERED = 4  # past activities with a cover
AHEAD = 3  # further Saturdays, with sign-up open
# Reward, and the weeks in which alice collects it.
COLLECTED, RESERVED = {4: "soap", 8: "toothpaste"}, "tissue"
COFFEE_IN, HONOURED_IN, ABSENT_IN = (3, 9), 7, 10
COFFEE = 9  # points


async def live(tx: Session, county: County) -> None:
    """Play the weeks up to today, today, and what comes; alice reserves a reward."""
    last = local_date(now())
    last -= timedelta(days=(last.weekday() - SATURDAY) % 7 or 7)
    first = last - (WEEKS - 1) * WEEK
    with clock_at(tx, midnight(first) - SIX_DAYS + NINE_O_CLOCK):
        await offices.settle(tx, county)
        await market.open_merchants(tx, county)
        await market.describe_rewards(tx, county)
        await settled.agree(tx, county)
        await residents.join(tx, county)
    for week in range(WEEKS):
        await _week(tx, county, week, midnight(first + week * WEEK) + NINE_O_CLOCK)
    await settled.settle(tx, county, first - SIX_DAYS)
    wanted = RedemptionIn(reward_id=county.rewards[RESERVED])
    await reservations.reserve(tx, county.people["alice"], wanted)
    for week in range(WEEKS, WEEKS + AHEAD):
        starts_at = midnight(_coming() + (week - WEEKS) * WEEK) + NINE_O_CLOCK
        activity = await _publish(tx, county, week, starts_at)
        await programme.sign_up(tx, activity, _who_comes(county, week))
    await today.play(tx, county)
    await market.what_is_new(tx, county)
    await offices.what_waits(tx, county)
    await residents.keep_papers(tx, county)


def _coming() -> date:
    """Return the next Saturday: in a week if today is one."""
    day = local_date(now())
    return day + timedelta(days=(SATURDAY - day.weekday()) % 7 or 7)


async def _week(tx: Session, county: County, week: int, starts_at: datetime) -> None:
    """An activity from its publication to the evening, and what alice does with her points."""
    people = _who_comes(county, week)
    with clock_at(tx, starts_at - timedelta(days=5)):
        activity = await _publish(tx, county, week, starts_at)
        await programme.sign_up(tx, activity, people)
    with clock_at(tx, starts_at) as at:
        present = people[: PROGRAMME[week % len(PROGRAMME)][2]]
        serial = (await activities.organized(tx, county.people["organizer"], activity)).serial
        where = PROGRAMME[week % len(PROGRAMME)][4]
        scans = [
            Scan(serial, person, programme.near(where, number))
            for number, person in enumerate(present)
        ]
        held(await checkins.record(tx, scans, at))
    with clock_at(tx, starts_at + LONG + timedelta(hours=1)) as at:
        await _evening(tx, county, week, at)


def _who_comes(county: County, week: int) -> list[UUID]:
    """Return who signs up: alice always, the others in turn."""
    others = [one for place, one in enumerate(county.neighbours) if (place + week) % 3]
    start = week * 5 % len(others)
    return [county.people["alice"], *others[start:], *others[:start]][:26]


async def _publish(tx: Session, county: County, week: int, starts_at: datetime) -> UUID:
    title, category, capacity, rule, where, motif = PROGRAMME[week % len(PROGRAMME)]
    # The street and its communities hold them in turn.
    holders = (county.street, *county.communities)
    body = ActivityIn(
        org_id=holders[week % len(holders)],
        title=title,
        description=f"{title}，每次三小时，自备水杯。",
        category=category,
        starts_at=starts_at,
        ends_at=starts_at + LONG,
        capacity=capacity,
        rule_key=rule,
        location=where,
    )
    cover = motif if week >= WEEKS - COVERED else None
    return await programme.publish(tx, county, body, cover, week)


async def _evening(tx: Session, county: County, week: int, at: datetime) -> None:
    alice = county.people["alice"]
    if key := COLLECTED.get(week):
        body = RedemptionIn(reward_id=county.rewards[key])
        reserved = await reservations.reserve(tx, alice, body)
        counter = Staff(county.people["merchant2"])
        await collecting.collect_one(tx, counter, reserved.pickup_code)
    if week in COFFEE_IN:
        code = (await cards.code(tx, alice)).code
        command = ChargeCommand(county.people["merchant"], code, COFFEE, "美式咖啡")
        held(await charges.charge(tx, [command], at))
    if week == HONOURED_IN:
        await _honour(tx, county)
    if week == HONOURED_IN + 1:  # its public notice is over
        await release.release_due(tx, at, limit=10)
    if week == ABSENT_IN:
        await _absent(tx, county)


async def _absent(tx: Session, county: County) -> None:
    """A deduction from alice, who appeals; another organizer decides that she is right."""
    alice, organizer2 = county.people["alice"], county.people["organizer2"]
    breach = DeductionIn(
        rule_key="no_show",
        org_id=county.street,
        person_id=alice,
        evidence={"activity": "文明交通劝导（早班）"},
    )
    made = await deductions.deduct(tx, county.people["organizer"], breach, Uncounted())
    await deductions.appeal(tx, alice, made.id, AppealIn(reason="当天我在路口值班，忘了签到。"))
    decision = AppealDecisionIn(granted=True, reason="值班表和照片属实，退回积分。")
    await deductions.decide(tx, organizer2, made.id, decision)


async def _honour(tx: Session, county: County) -> None:
    body = AwardsIn(
        rule_key="commendation",
        org_id=county.street,
        person_ids=[county.people["alice"], county.neighbours[0]],
        evidence={"document": "三茅〔2026〕11号", "public_notice": "已公示"},
    )
    proposed = await proposals.propose(tx, county.people["organizer"], body, Uncounted())
    for one in proposed.items:
        await review.approve(tx, county.people["organizer2"], one.award.id)
