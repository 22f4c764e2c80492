"""Previews of awards: what the caps would leave."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Tx
from app.api.guesses import CardGuesses
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.ratelimit import Limit
from app.schemas.award_previews import AwardPreviewOut
from app.schemas.awards.proposals import RuleKey
from app.schemas.base import Id, OrgId, Text
from app.schemas.roles import CardNumber
from app.services import award_previews
from app.services.award_previews import PreviewQuery
from app.services.orgs import OrgNotFound
from app.services.people import Forbidden, PersonMerged, PersonNotFound

ABOUT = Bilingual("积分预览：按上限还能得多少", "Previews: what the caps would leave of an award")
router = Router(tags=["award_previews"], about=ABOUT)
# A look at somebody else is an entry in the audit trail: sixty at once, then one in 10 s.
PREVIEW = replace(RESIDENT, limit=Limit("preview", burst=60, per_second=1 / 10))


@router.get(
    "/awards/preview",
    operation_id="previewAward",
    **allow(PREVIEW, OrgNotFound, Forbidden, PersonNotFound, PersonMerged),
)
async def preview_award(
    tx: Tx,
    caller: CurrentPerson,
    guesses: CardGuesses,
    org_id: OrgId,
    rule_key: Annotated[RuleKey, Query()],
    person_id: Annotated[Id | None, Query(description="Id of the person; or `card_no`.")] = None,
    card_no: Annotated[
        CardNumber | None, Query(description="Number of the card; or `person_id`.")
    ] = None,
    quantity: Annotated[
        int, Query(ge=1, le=100, description="Units of the rule: hours, sessions, items.")
    ] = 1,
    grade: Annotated[
        Text | None,
        Query(min_length=1, max_length=40, description="Key of one of the rule's grades."),
    ] = None,
    points: Annotated[
        int | None,
        Query(ge=1, le=1_000, description="Points, where the rule leaves a choice (`up_to`)."),
    ] = None,
) -> AwardPreviewOut:
    """Return what the caps would leave now, and what is left of each of them.

    Without ``person_id`` and ``card_no`` for the caller; for others by organizers, on record.
    """
    asked = PreviewQuery(org_id, rule_key, person_id, card_no, quantity, grade, points)
    return await award_previews.preview(tx, caller, asked, guesses)
