"""Friends: who comes along takes a place when somebody signs up, and is named at the door."""

from uuid import UUID

from app.core.db import Session
from app.queries import friends as queries
from app.schemas.friends import FriendsIn, FriendsOut
from app.services import activities, audit, eligibility
from app.services.activities import ActivityNotFound
from app.services.corrections import CheckinNotFound
from app.services.people import Forbidden
from app.services.signup_terms import TooManyFriends


async def name(tx: Session, caller: UUID, checkin_id: UUID, body: FriendsIn) -> FriendsOut:
    """Replace the names of the friends with whom somebody came.

    By the person who checked in, or who organizes the activity. Raises CheckinNotFound, also for an
    annulled one; NotEligible for who is under 14, without a guardian's consent; TooManyFriends for
    more than were signed up.
    """
    host = await queries.host(tx, checkin_id)
    if host is None:
        raise CheckinNotFound
    organizes = caller != host.person_id
    org_id = None
    if organizes:
        try:
            org_id = (await activities.co_organized(tx, caller, host.activity_id)).org_id
        except (ActivityNotFound, Forbidden):
            raise CheckinNotFound from None
    await eligibility.require_consent(tx, caller)
    limit = host.signup.friends if host.signup else 0
    if len(body.names) > limit:
        raise TooManyFriends(limit=limit)
    if host.signup is not None:
        host.signup.friend_names = "\n".join(body.names) or None
        await queries.save(tx, host.signup)
    if organizes:
        facts = audit.about("activity", host.activity_id) | {"friends": len(body.names)}
        subject = ("checkin", checkin_id)
        await audit.write_about(
            tx, caller, "edited", subject, org_id, fields=["friend_names"], facts=facts
        )
    return FriendsOut(checkin_id=checkin_id, names=body.names, limit=limit)
