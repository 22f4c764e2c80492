"""Missed days: who collected nothing of what they had reserved. So many, and one is skipped.

Points and goods went back when the orders ended (``redemptions/reservations.expire``).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import UUID

from app.core.clock import local_date, midnight
from app.core.db import Session
from app.core.errors import Refusal
from app.models.redemption_days import DayAbsence, RedemptionDay
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.queries.redemption_days import absences as queries
from app.queries.redemption_days import lists
from app.services import notify, orgs
from app.services.notify import Message
from app.services.policies import history

A_DAY = timedelta(days=1)


class RedemptionDaySkipped(Refusal):
    """``used``: the days that were missed; ``limit``: after so many the next one is skipped."""

    code, status, title = "redemption_days.skipped", 403, "Skipped"
    zh = "您此前多场预约后未领取，本场不能预约，下一场起恢复"
    en = "You missed too many redemption days: this one is skipped, the next one is open to you."
    fact_names = ("used", "limit", "missed_at")


async def skipped(
    tx: Session, day: RedemptionDay, family: Sequence[UUID], at: datetime
) -> RedemptionDaySkipped | None:
    """Return the refusal of a day that a person has to skip; None if it is open to them."""
    rules = (await history.in_force(tx, (await orgs.get(tx, day.org_id)).path, at)).document
    since = at - timedelta(days=rules.redemption_days.within_days)
    missed = await queries.of_people(tx, day.org_id, family, since)
    for absence, other in missed:
        if absence.skips_next and await queries.next_after(tx, other) == day.id:
            limit = rules.redemption_days.missed
            return RedemptionDaySkipped(used=limit, limit=limit, missed_at=other.starts_at)
    return None


async def settle(tx: Session, at: datetime, limit: int) -> bool:
    """Record absences of one day that is over, of ``limit`` people at most; False: none is due."""
    day = await queries.unsettled(tx, at)
    if day is None:
        return False
    people = await queries.absent(tx, day.id, limit)
    rules = (await history.in_force(tx, (await orgs.get(tx, day.org_id)).path, at)).document
    since = at - timedelta(days=rules.redemption_days.within_days)
    for person in people:
        family = await people_queries.family(tx, person)
        earlier = await queries.of_people(tx, day.org_id, family, since)
        count = 1 + len(list(takewhile(_counts, earlier)))
        completes = count >= rules.redemption_days.missed
        await queries.add(tx, day.id, person, skips_next=completes)
        if completes:
            facts = {"title": day.title, "count": count}
            await notify.send(
                tx, person, "redemption_day_skipped", ("redemption_day", day.id), **facts
            )
    if len(people) < limit:
        day.settled_at = at
        await record_queries.save(tx, day)
    return True


def _counts(missed: tuple[DayAbsence, RedemptionDay]) -> bool:
    """Tell whether an absence counts for the next skipped day: none was skipped for it."""
    return not missed[0].skips_next


async def remind(tx: Session, at: datetime) -> bool:
    """Remind people of one day that begins tomorrow (Asia/Shanghai); False: none is due."""
    tomorrow = local_date(at) + A_DAY
    day = await lists.starting(tx, midnight(tomorrow), midnight(tomorrow + A_DAY))
    if day is None:
        return False
    facts = {"title": day.title, "place": day.place}
    messages = [
        Message(person, ("redemption_day", day.id), facts | {"from_at": slot or day.starts_at})
        for person, slot in await lists.expected(tx, day.id)
    ]
    await notify.send_each(tx, "redemption_day_tomorrow", messages)
    day.reminded_at = at
    await record_queries.save(tx, day)
    return True
