"""An organizer grants a package of courtesies to a cohort, or revokes what is not claimed."""

from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.validation_messages import invalid
from app.models.courtesies import CourtesyState
from app.models.courtesy_grants import MOST_PEOPLE, CourtesyGrant, CourtesyGrantState
from app.models.orgs import Org
from app.queries import courtesies as courtesy_queries
from app.queries import courtesy_grants as queries
from app.queries import people as people_queries
from app.queries import person_categories as category_queries
from app.queries import records as record_queries
from app.schemas.courtesy_grants import (
    CourtesyGrantedOut,
    CourtesyGrantIn,
    CourtesyGrantOut,
)
from app.schemas.person_categories import CohortMemberOut, CohortOutcome
from app.services import audit, notify, people, records
from app.services.courtesy_grants import reading
from app.services.courtesy_grants.reading import CourtesyGrantNotFound
from app.services.people import CardGuesses
from app.services.person_categories import cohorts

MOVES = {CourtesyGrantState.granted: {CourtesyGrantState.revoked}}


class CourtesyGrantWrongState(records.WrongState):
    code = "courtesy_grants.wrong_state"


class NobodyGranted(Refusal):
    code, status, title = "courtesy_grants.nobody", 409, "Nobody to grant it to"
    zh, en = "没有可发放的人员", "There is nobody to whom it can be granted."
    fact_names = ("refused",)


async def grant(
    tx: Session, caller: UUID, body: CourtesyGrantIn, guesses: CardGuesses
) -> CourtesyGrantedOut:
    """Grant a package to a list, or to whoever has a category, never to the caller.

    They get a notice. Raises OrgNotFound, Forbidden, OrgClosed, Invalid (courtesies of others, or
    not published; a time in the past; too many people), NobodyGranted, and what ``guesses`` raises.
    """
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    await _check(tx, body)
    members, items = await _members(tx, caller, org, body, guesses)
    if not members:
        raise NobodyGranted(refused=len(items))
    made = CourtesyGrant(
        id=new_id(),
        org_id=org.id,
        created_by=caller,
        title=body.title,
        category=body.category,
        claim_until=body.claim_until,
    )
    await record_queries.save(tx, made)
    await queries.fill(tx, made.id, body.courtesy_ids, members)
    facts: dict[str, str | int] = {"people": len(members), "courtesies": len(body.courtesy_ids)}
    await audit.write(tx, caller, "created", made, reason=body.reason, facts=facts)
    said = {"org": org.name, "title": body.title, "until": body.claim_until}
    await notify.send(tx, members, "courtesy_granted", ("courtesy_grant", made.id), **said)
    [shown] = await reading.shown(tx, [made])
    return CourtesyGrantedOut(**shown.model_dump(), items=items)


async def revoke(
    tx: Session, caller: UUID, courtesy_grant_id: UUID, reason: str
) -> CourtesyGrantOut:
    """Revoke a grant: what was claimed stays. Raises CourtesyGrantNotFound and its WrongState."""
    found = await records.locked(
        tx, CourtesyGrant, courtesy_grant_id, caller, people.ORGANIZERS, CourtesyGrantNotFound
    )
    to = CourtesyGrantState.revoked
    await records.move(tx, caller, found, to, MOVES, CourtesyGrantWrongState, reason=reason)
    [shown] = await reading.shown(tx, [found])
    return shown


async def _check(tx: Session, body: CourtesyGrantIn) -> None:
    """Raise Invalid for a time that is over, and for courtesies that cannot be granted."""
    at = now()
    if body.claim_until <= at:
        raise invalid("body.claim_until", "领取截止不能早于现在", "must not lie in the past")
    found = await courtesy_queries.find_many(tx, body.courtesy_ids)
    good = [
        one
        for one in found.values()
        if one.org_id == body.org_id and one.state == CourtesyState.published and one.ends_at > at
    ]
    if len(good) < len(body.courtesy_ids):
        raise invalid(
            "body.courtesy_ids",
            "须为本组织已发布且未结束的礼遇",
            "each must be a published courtesy of the organisation",
        )


async def _members(
    tx: Session, caller: UUID, org: Org, body: CourtesyGrantIn, guesses: CardGuesses
) -> tuple[list[UUID], list[CohortMemberOut]]:
    """Return who gets the package, and what came of each name. Raises Invalid."""
    if body.category is None:
        cohort = await cohorts.read(tx, caller, body, guesses)
        added = dict.fromkeys(cohort.members, CohortOutcome.added)
        return cohort.members, cohorts.told(cohort, added).items
    day, most = local_date(now()), MOST_PEOPLE + 1
    found = await category_queries.holders(tx, org.path, body.category, day, most)
    if len(found) > MOST_PEOPLE:
        raise invalid(
            "body.category",
            f"该类别超过 {MOST_PEOPLE} 人，请按名单分批发放",
            f"more than {MOST_PEOPLE} people have it: grant it to lists",
        )
    standing, own = await people_queries.active(tx, found), await people.own(tx, caller)
    return [one for one in found if one in standing and one not in own], []
