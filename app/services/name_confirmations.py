"""Real names confirmed by an organizer of the person's community (网格确认).

The award ``register_realname`` is proposed separately, with this as its evidence.
"""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.queries import name_confirmations as queries
from app.queries import people as people_queries
from app.schemas.name_confirmations import NameConfirmationIn, NameConfirmationOut
from app.services import audit, orgs, people


class OwnName(Refusal):
    code, status, title = "name_confirmations.own", 403, "Own name"
    zh, en = "本人姓名须由他人确认", "Somebody else must confirm your name."


class AnotherName(Refusal):
    code, status, title = "name_confirmations.another_name", 409, "Another name"
    zh, en = "与账号姓名不一致", "The account has another name."


class Confirmed(Refusal):
    code, status, title = "name_confirmations.confirmed", 409, "Confirmed before"
    zh, en = "姓名已确认", "The name is confirmed already."


async def confirm(
    tx: Session, caller: UUID, person_id: UUID, body: NameConfirmationIn
) -> NameConfirmationOut:
    """Confirm that a person's name is the real one.

    Raises PersonNotFound, also outside of the caller's communities, OwnName, PersonMerged,
    AnotherName, Confirmed.
    """
    person = await people_queries.find(tx, person_id)
    if person is None or person.erased_at is not None or person.community_id is None:
        raise people.PersonNotFound
    org = await orgs.get(tx, person.community_id)
    if not await people.holds(tx, caller, people.ORGANIZERS, org.path):
        raise people.PersonNotFound
    if await people.is_any_of(tx, caller, person_id):
        raise OwnName
    await people.require_not_merged(tx, [person_id])
    if person.display_name != body.display_name:
        raise AnotherName
    if not await queries.add(tx, person_id, org.id, caller):
        raise Confirmed
    await audit.write_about(tx, caller, "confirmed", ("person", person_id), org.id)
    return NameConfirmationOut.model_validate(await queries.find(tx, person_id))
