"""Co-organizers (协办人) of an activity."""

from fastapi import Response

from app.api.access import ORGANIZER, READER, allow
from app.api.deps import CurrentPerson, Reader, Tx
from app.api.guesses import CARD_GUESS, Guess
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.co_organizers import CoOrganizerIn, CoOrganizerOut
from app.services import co_organizers
from app.services.activities import ActivityNotFound, ActivityWrongState
from app.services.people import PersonMerged, PersonNotFound

ABOUT = Bilingual(
    "活动的协办人：可修改该活动、出示签到码",
    "Co-organizers of an activity: they may edit it and show its check-in code",
)
router = Router(tags=["co_organizers"], about=ABOUT)


@router.post(
    "/activities/{activity_id}/co-organizers",
    status_code=201,
    operation_id="addCoOrganizer",
    **allow(
        ORGANIZER,
        ActivityNotFound,
        ActivityWrongState,
        PersonNotFound,
        PersonMerged,
        co_organizers.OneselfAdded,
        co_organizers.CoOrganizerThere,
        co_organizers.TooManyCoOrganizers,
        body=True,
        once=True,
        guess=Guess(CARD_GUESS, PersonNotFound),
    ),
)
@leads_to("removeCoOrganizer", {"activity_id": "activity_id", "co_organizer_id": "id"})
async def add_co_organizer(
    activity_id: PathId, body: CoOrganizerIn, tx: Tx, person_id: CurrentPerson
) -> CoOrganizerOut:
    """Add a co-organizer, who gets a notice. Points by their own check-in there wait for a review.

    Only organizers of the organisation add and remove them, up to 20.
    """
    return await co_organizers.add(tx, person_id, activity_id, body)


@router.get(
    "/activities/{activity_id}/co-organizers",
    operation_id="listCoOrganizers",
    **allow(READER, ActivityNotFound),
)
async def list_co_organizers(
    activity_id: PathId, tx: Reader, person_id: CurrentPerson
) -> Page[CoOrganizerOut]:
    """Return the co-organizers of an activity, all of them in one page."""
    return await co_organizers.browse(tx, person_id, activity_id)


@router.delete(
    "/activities/{activity_id}/co-organizers/{co_organizer_id}",
    status_code=204,
    operation_id="removeCoOrganizer",
    **allow(ORGANIZER, ActivityNotFound, co_organizers.CoOrganizerNotFound),
)
async def remove_co_organizer(
    activity_id: PathId, co_organizer_id: PathId, tx: Tx, person_id: CurrentPerson
) -> Response:
    """End a co-organizer's right."""
    await co_organizers.remove(tx, person_id, activity_id, co_organizer_id)
    return Response(status_code=204)
