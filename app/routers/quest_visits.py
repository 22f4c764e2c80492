"""Visits at the checkpoints of quests."""

from fastapi import Response

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Posters, Tx
from app.api.guesses import CHECKIN_GUESS, Guess
from app.api.operations import leads_to, naturally_idempotent
from app.api.routes import Router
from app.core.language import Bilingual
from app.schemas.quest_visits import QuestVisitIn, QuestVisitResultOut
from app.services import quest_visits
from app.services.eligibility import NotEligible
from app.services.quest_visits import (
    LocationMissing,
    OutsideVisitingTime,
    PosterReplaced,
    QuestNotOpen,
    QuestVisitCodeInvalid,
    TooFar,
)

ABOUT = Bilingual(
    "打卡：到点位扫描海报，集齐后发放积分", "Visits: a poster is scanned where it hangs"
)
router = Router(tags=["quest_visits"], about=ABOUT)


@router.post(
    "/quest-visits",
    status_code=201,
    operation_id="visitCheckpoint",
    **allow(
        RESIDENT,
        QuestVisitCodeInvalid,
        NotEligible,
        PosterReplaced,
        QuestNotOpen,
        OutsideVisitingTime,
        LocationMissing,
        TooFar,
        body=True,
        guess=Guess(CHECKIN_GUESS, QuestVisitCodeInvalid, signed=True),
    ),
)
@leads_to("getQuest", {"quest_id": "visit/quest_id"})
@naturally_idempotent
async def visit_checkpoint(
    body: QuestVisitIn, response: Response, tx: Tx, codes: Posters, person_id: CurrentPerson
) -> QuestVisitResultOut:
    """Visit a checkpoint: scan its poster there. A repeat returns 200 and the first visit.

    The poster and the location are both needed: the distance may be the radius of the checkpoint
    and what the phone says of its accuracy, of which 100 metres count at most. Who is under 14
    needs a guardian's consent.
    """
    poster = quest_visits.read_code(codes, body.code)
    result, is_new = await quest_visits.visit(tx, person_id, poster, body.location)
    if not is_new:
        response.status_code = 200
    return result
