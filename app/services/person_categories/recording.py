"""Categories are recorded by an organizer for others, until a day, and ended before it."""

from datetime import timedelta
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.validation_messages import invalid
from app.models.person_categories import PersonCategory
from app.queries import person_categories as queries
from app.queries import records as record_queries
from app.schemas.person_categories import (
    CohortOut,
    CohortOutcome,
    PersonCategoryEndIn,
    PersonCategoryIn,
    PersonCategoryOut,
)
from app.services import audit, notify, orgs, people, records
from app.services.people import CardGuesses
from app.services.person_categories import cohorts, reading

LONGEST = timedelta(days=3653)  # ten years


class PersonCategoryNotFound(Refusal):
    code, status, title = "person_categories.not_found", 404, "No such category of a person"
    zh, en = "类别登记不存在", "There is no such category of a person."


class PersonCategoryEnded(Refusal):
    code, status, title = "person_categories.ended", 409, "Ended already"
    zh, en = "该类别登记已终止", "This category was ended already."
    fact_names = ("ended_at",)


class OwnCategory(Refusal):
    code, status, title = "person_categories.own", 403, "Own category"
    zh, en = "不能处理本人的类别", "Nobody decides about a category of their own."


async def record(
    tx: Session, caller: UUID, body: PersonCategoryIn, guesses: CardGuesses
) -> CohortOut:
    """Record a category for each of a list, never for the caller; they get a notice.

    Who has it there already gets the new last day. Raises OrgNotFound, Forbidden, OrgClosed,
    Invalid (the day), and what ``guesses`` raises.
    """
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    today = local_date(now())
    if not today <= body.until <= today + LONGEST:
        raise invalid(
            "body.until",
            "有效期应在今天至十年之内",
            "must not lie in the past, nor more than ten years ahead",
        )
    cohort = await cohorts.read(tx, caller, body, guesses)
    kept = await queries.lock(tx, org.id, body.category, cohort.members)
    outcomes = {
        person: await _record(tx, caller, body, person, kept.get(person))
        for person in cohort.members
    }
    new = [one for one, outcome in outcomes.items() if outcome is not CohortOutcome.there]
    subject = ("org", org.id)
    facts = {"org": org.name, "until": body.until}
    await notify.send(tx, new, "person_category_recorded", subject, **facts)
    return cohorts.told(cohort, outcomes)


async def _record(
    tx: Session,
    caller: UUID,
    body: PersonCategoryIn,
    person: UUID,
    kept: PersonCategory | None,
) -> CohortOutcome:
    about: dict[str, str | int] = {"person": str(person), "category": body.category}
    if kept is None:
        made = PersonCategory(
            id=new_id(),
            org_id=body.org_id,
            created_by=caller,
            person_id=person,
            category=body.category,
            until=body.until,
            reason=body.reason,
        )
        if not await queries.add(tx, made):  # by another request meanwhile
            return CohortOutcome.there
        await audit.write(tx, caller, "created", made, reason=body.reason, facts=about)
        return CohortOutcome.added
    if (kept.until, kept.reason) == (body.until, body.reason):
        return CohortOutcome.there
    kept.until, kept.reason = body.until, body.reason
    fields = record_queries.changed(kept)
    await record_queries.save(tx, kept)
    await audit.write(tx, caller, "changed", kept, reason=body.reason, fields=fields, facts=about)
    return CohortOutcome.renewed


async def end(
    tx: Session, caller: UUID, person_category_id: UUID, body: PersonCategoryEndIn
) -> PersonCategoryOut:
    """End a category before its last day; the person is told.

    Raises PersonCategoryNotFound, OwnCategory, PersonCategoryEnded.
    """
    found = await records.locked(
        tx, PersonCategory, person_category_id, caller, people.ORGANIZERS, PersonCategoryNotFound
    )
    await people.require_no_part(tx, caller, {found.person_id: OwnCategory})
    if found.ended_at is not None:
        raise PersonCategoryEnded(ended_at=found.ended_at)
    found.ended_at = now()
    await record_queries.save(tx, found)
    facts: dict[str, str | int] = {"person": str(found.person_id), "category": found.category}
    await audit.write(tx, caller, "ended", found, reason=body.reason, facts=facts)
    org, subject = await orgs.get(tx, found.org_id), ("person_category", found.id)
    said = {"org": org.name, "reason": body.reason}
    await notify.send(tx, found.person_id, "person_category_ended", subject, **said)
    [shown] = await reading.shown(tx, [found])
    return shown
