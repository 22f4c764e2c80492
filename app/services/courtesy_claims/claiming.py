"""Residents claim courtesies, within their quota, and cancel what they have not used.

All claims of a person wait for the lock on the person's card. The unique indexes of the table hold
the quota and the one choice of a year even without it.
"""

from datetime import datetime
from uuid import UUID

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.ids import new_id
from app.models.cards import CardStatus
from app.models.courtesies import Courtesy, CourtesyState
from app.models.courtesy_claims import CourtesyClaim, CourtesyClaimState
from app.queries import cards as card_queries
from app.queries import courtesies as courtesy_queries
from app.queries import courtesy_claims as queries
from app.queries import people as people_queries
from app.queries import records as record_queries
from app.schemas.courtesy_claims import MyCourtesyClaimOut
from app.services.cards import CardSuspended
from app.services.courtesies import eligibility
from app.services.courtesies.eligibility import Sight
from app.services.courtesies.reading import CourtesyNotFound
from app.services.courtesy_claims import reading
from app.services.courtesy_claims.reading import CourtesyClaimNotFound, CourtesyClaimWrongState


async def claim(tx: Session, person_id: UUID, courtesy_id: UUID) -> MyCourtesyClaimOut:
    """Claim a courtesy once more in the running period.

    Raises CardSuspended, CourtesyNotFound (a draft too), CourtesyNotOpen, CourtesyNotEligible,
    CourtesyQuotaUsed, CourtesyChoiceMade.
    """
    await lock_card(tx, person_id)
    at = now()
    courtesy = await courtesy_queries.share(tx, courtesy_id)
    if courtesy is None or courtesy.state == CourtesyState.draft:
        raise CourtesyNotFound
    seen = await eligibility.sight(tx, person_id, [courtesy], at)
    if refusal := eligibility.refusal(courtesy, seen, at):
        raise refusal
    made = _made(courtesy, seen, person_id, at)
    if not await queries.add(tx, made):  # by another account of the person meanwhile
        if courtesy.choice_group is not None:
            raise eligibility.choice_made(courtesy, at)
        limit = eligibility.quota(courtesy, seen)
        raise eligibility.quota_used(courtesy, limit, limit, at)
    return await shown(tx, made.id)


async def cancel(tx: Session, person_id: UUID, courtesy_claim_id: UUID) -> MyCourtesyClaimOut:
    """Cancel a claim that is not used: its place in the quota is free again.

    One that came with a grant stays cancelled. Raises CourtesyClaimNotFound,
    CourtesyClaimWrongState.
    """
    family = await people_queries.family(tx, person_id)
    found = await queries.lock_own(tx, courtesy_claim_id, family)
    if found is None:
        raise CourtesyClaimNotFound
    state = reading.state_at(found, now())
    if state != CourtesyClaimState.claimed:
        raise CourtesyClaimWrongState(status=state)
    found.state = CourtesyClaimState.cancelled
    await record_queries.save(tx, found)
    [shown] = await reading.to_person(tx, [found])
    return shown


async def lock_card(tx: Session, person_id: UUID) -> None:
    """Lock the person's card until the commit. Raises CardSuspended."""
    card = await card_queries.lock(tx, person_id)
    if card is None or card.status != CardStatus.active:
        raise CardSuspended(status=card.status if card else None)


async def shown(tx: Session, claim_id: UUID) -> MyCourtesyClaimOut:
    """Return a claim that was just made."""
    found = await record_queries.find(tx, CourtesyClaim, claim_id)
    assert found is not None
    [one] = await reading.to_person(tx, [found])
    return one


def _made(courtesy: Courtesy, seen: Sight, person_id: UUID, at: datetime) -> CourtesyClaim:
    """Return the claim with the first number of the quota that is free."""
    start, following = eligibility.running(courtesy, at)
    numbers = eligibility.used(courtesy, seen, at)
    limit = eligibility.quota(courtesy, seen)
    return CourtesyClaim(
        id=new_id(),
        org_id=courtesy.org_id,
        created_by=person_id,
        courtesy_id=courtesy.id,
        period_start=start,
        number=next(one for one in range(1, limit + 1) if one not in numbers),
        choice_group=courtesy.choice_group,
        choice_year=local_date(at).year if courtesy.choice_group else None,
        valid_until=following or courtesy.ends_at,
    )
