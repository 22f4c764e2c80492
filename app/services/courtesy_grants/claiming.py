"""A person claims a package, once: each of its courtesies becomes a claim to use."""

from datetime import datetime
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.models.courtesies import Courtesy, CourtesyState
from app.models.courtesy_claims import CourtesyClaim
from app.models.courtesy_grants import CourtesyGrantState
from app.queries import courtesy_claims as claim_queries
from app.queries import courtesy_grants as queries
from app.queries import people as people_queries
from app.schemas.courtesy_claims import CourtesyClaimsOut
from app.services.courtesies import eligibility
from app.services.courtesies.eligibility import CourtesyNotOpen
from app.services.courtesy_claims import claiming
from app.services.courtesy_grants.reading import CourtesyGrantNotFound


class CourtesyGrantClaimed(Refusal):
    code, status, title = "courtesy_grants.claimed", 409, "Claimed already"
    zh, en = "礼包已领取，每人一次", "You have claimed it already; it is once for each person."
    fact_names = ("claimed_at",)


class CourtesyGrantOver(Refusal):
    code, status, title = "courtesy_grants.over", 409, "Over"
    zh, en = "礼包已过领取期限或已撤回", "The package was revoked, or its time is over."
    fact_names = ("status", "closes_at")


async def claim(tx: Session, person_id: UUID, courtesy_grant_id: UUID) -> CourtesyClaimsOut:
    """Claim a package. Courtesies that have ended since are left out.

    Raises CardSuspended, CourtesyGrantNotFound (of others), CourtesyGrantClaimed,
    CourtesyGrantOver, CourtesyNotOpen (one begins later, or all have ended).
    """
    await claiming.lock_card(tx, person_id)
    at = now()
    family = await people_queries.family(tx, person_id)
    before = await queries.claimed(tx, family, [courtesy_grant_id])
    found = await queries.share(tx, courtesy_grant_id) if before else None
    if found is None:
        raise CourtesyGrantNotFound
    if (claimed_at := before[found.id]) is not None:
        raise CourtesyGrantClaimed(claimed_at=claimed_at)
    if found.state != CourtesyGrantState.granted or found.claim_until <= at:
        raise CourtesyGrantOver(status=found.state, closes_at=found.claim_until)
    courtesies = [one for _, one in await queries.items(tx, [found.id])]
    living = _living(courtesies, at)
    if not await queries.claim(tx, found.id, family, at):
        raise CourtesyGrantClaimed(claimed_at=at)
    made = [_made(one, found.id, person_id, at) for one in living]
    for one in made:
        await claim_queries.add(tx, one)
    return CourtesyClaimsOut(items=[await claiming.shown(tx, one.id) for one in made])


def _living(courtesies: list[Courtesy], at: datetime) -> list[Courtesy]:
    """Return what can be used. Raises CourtesyNotOpen."""
    living = [
        one for one in courtesies if one.state == CourtesyState.published and at < one.ends_at
    ]
    waiting = [one for one in living if at < one.starts_at]
    for one in waiting or ([] if living else courtesies):
        raise CourtesyNotOpen(status=one.state, opens_at=one.starts_at, closes_at=one.ends_at)
    return living


def _made(one: Courtesy, grant_id: UUID, person_id: UUID, at: datetime) -> CourtesyClaim:
    return CourtesyClaim(
        id=new_id(),
        org_id=one.org_id,
        created_by=person_id,
        courtesy_id=one.id,
        grant_id=grant_id,
        period_start=eligibility.running(one, at)[0],
        valid_until=one.ends_at,
    )
