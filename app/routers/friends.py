"""Friends whom people bring along."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Tx
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.friends import FriendsIn, FriendsOut
from app.services import friends
from app.services.corrections import CheckinNotFound
from app.services.eligibility import NotEligible
from app.services.signup_terms import TooManyFriends

ABOUT = Bilingual("同行人：签到时登记姓名", "Friends: who came along, named at the door")
router = Router(tags=["friends"], about=ABOUT)


@router.put(
    "/checkins/{checkin_id}/friends",
    operation_id="nameFriends",
    **allow(RESIDENT, CheckinNotFound, NotEligible, TooManyFriends, body=True),
)
async def name_friends(
    checkin_id: PathId, body: FriendsIn, tx: Tx, person_id: CurrentPerson
) -> FriendsOut:
    """Name the friends with whom somebody came: the person, or who organizes the activity.

    At most as many as were signed up. Names given before are replaced; the attendance list and the
    live view show them.
    """
    return await friends.name(tx, person_id, checkin_id, body)
