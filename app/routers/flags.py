"""Flags of check-ins, for organizers to review."""

from typing import Annotated

from fastapi import Query

from app.api import exports
from app.api.access import ORGANIZER, allow
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.models.flags import FlagState
from app.schemas.base import Id
from app.schemas.flags import FlagDecisionIn, FlagOut
from app.services import flags
from app.services.awards.review import OwnAward
from app.services.corrections import CheckinAnnulled, CheckinNotFound, TooManyCorrections
from app.services.flags import FlagDecided, FlagNotFound, OwnFlag
from app.services.orgs import OrgNotFound

ABOUT = Bilingual(
    "存疑签到：移动过快、坐标相同，由组织者复核", "Flags: check-ins that an organizer should review"
)
router = Router(prefix="/flags", tags=["flags"], about=ABOUT)


@router.get("", operation_id="listFlags", **allow(ORGANIZER, OrgNotFound))
@leads_to("decideFlag", {"flag_id": "items/0/id"})
async def list_flags(
    tx: Reader,
    person_id: CurrentPerson,
    page: PageQuery,
    org_id: Annotated[Id, Query(description="Of this organisation and those below it.")],
    state: Annotated[FlagState | None, Query(description="Only in this state.")] = None,
) -> Page[FlagOut]:
    """Return the flags of an organisation and its subtree, newest first."""
    return await flags.browse(tx, person_id, org_id, state, page)


exports.beside(router, list_flags, Bilingual("存疑签到", "Flags"))


@router.post(
    "/{flag_id}/decision",
    operation_id="decideFlag",
    **allow(
        ORGANIZER,
        FlagNotFound,
        OwnFlag,
        FlagDecided,
        CheckinNotFound,
        OwnAward,
        CheckinAnnulled,
        TooManyCorrections,
        body=True,
        once=True,
    ),
)
async def decide_flag(
    flag_id: PathId, body: FlagDecisionIn, tx: Tx, person_id: CurrentPerson
) -> FlagOut:
    """Dismiss or confirm a flag, once; `annul` takes back what the check-in gave.

    A confirmed flag alone changes nothing. Nobody decides about a check-in of one's own.
    """
    return await flags.decide(tx, person_id, flag_id, body)
