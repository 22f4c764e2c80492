"""Children: persons without a login, entered by their guardian, who acts for them."""

import json
import secrets
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal, unwrap
from app.core.ids import new_id
from app.core.keys import FieldCipher
from app.core.paging import Page, PageParams
from app.models.cards import card_number
from app.models.children import MOST, MOST_PICKUPS, Child, Pickup
from app.models.closures import ClosureCause
from app.models.consents import ConsentDocument
from app.models.people import Person
from app.queries import cards as card_queries
from app.queries import children as queries
from app.queries import closures as closure_queries
from app.queries import outbox
from app.queries import people as people_queries
from app.queries import signups as signup_queries
from app.schemas.children import (
    ChildEditIn,
    ChildIn,
    ChildOut,
    ChildrenOut,
    FetcherOut,
    PickupIn,
    PickupOut,
)
from app.schemas.consents import ConsentIn
from app.schemas.signups import MySignupOut, SignupOut
from app.services import (
    audit,
    closures,
    consents,
    notify,
    people,
    signup_decisions,
    signups,
)
from app.services.ledger import moments

NOUN = "child"
# The longest lesson, and a day to enter hand-overs: a class without any keeps no data for ever.
INSIDE_AT_MOST = timedelta(days=2)


class ChildNotFound(Refusal):
    code, status, title = "children.not_found", 404, "No such child"
    zh, en = "没有这个孩子的登记", "There is no such child of yours."


class TooManyChildren(Refusal):
    code, status, title = "children.too_many", 409, "Too many children"
    zh, en = "登记的孩子已达上限", "There are as many children as may be entered."
    fact_names = ("limit",)


class ChildInside(Refusal):
    code, status, title = "children.inside", 409, "At a class"
    zh, en = "孩子正在课堂，请先接回", "The child is at a class; fetch it first."


class TooManyPickups(Refusal):
    code, status, title = "children.too_many_pickups", 409, "Too many people"
    zh, en = "接送人已达上限", "There are as many people as may fetch a child."
    fact_names = ("limit",)


class PickupNotFound(Refusal):
    code, status, title = "children.pickup_not_found", 404, "No such person"
    zh, en = "没有这位接送人", "Nobody of this id may fetch the child."


class OwnPickup(Refusal):
    code, status, title = "children.own_pickup", 409, "The guardian"
    zh, en = "监护人无需登记为接送人", "The guardian may fetch the child anyhow."


async def mine(tx: Session, cipher: FieldCipher, caller: UUID) -> ChildrenOut:
    """Return the caller's children."""
    found = await queries.of_guardian(tx, caller)
    pickups = await queries.pickups(tx, [child.person_id for child, _ in found])
    return ChildrenOut(
        items=[
            await _to_out(tx, cipher, child, person, pickups.get(child.person_id, []))
            for child, person in found
        ]
    )


async def add(tx: Session, cipher: FieldCipher, caller: UUID, body: ChildIn) -> ChildOut:
    """Enter a child with the guardian's consent. Raises TooManyChildren, TextOutdated."""
    guardian = await closure_queries.lock_person(tx, caller)  # one at a time
    if guardian is None or guardian.erased_at is not None:
        raise people.PersonNotFound
    if len(await queries.of_guardian(tx, caller)) >= MOST:
        raise TooManyChildren(limit=MOST)
    # No openid has such an index, and nothing can be read from the empty seal: no login finds it.
    person = Person(
        id=new_id(),
        openid_index=secrets.token_bytes(32),
        openid_sealed=b"",
        display_name=people.masked(body.display_name),
        birth_date=body.birth_date,
    )
    child = Child(
        person_id=person.id,
        guardian_id=caller,
        name_sealed=cipher.seal(body.display_name),
        may_leave_alone=body.may_leave_alone,
    )
    await queries.add(tx, person, child)
    consent = ConsentIn(
        document=ConsentDocument.guardian, version=body.text_version, guardian=body.guardian
    )
    await consents.record(tx, cipher, person.id, consent, actor=caller)
    await audit.write_about(tx, caller, "created", (NOUN, person.id), None)
    return await _to_out(tx, cipher, child, person, [])


async def replace(
    tx: Session, cipher: FieldCipher, caller: UUID, child_id: UUID, body: ChildEditIn
) -> ChildOut:
    """Replace what is kept of a child. Raises ChildNotFound.

    Leaderboards are rebuilt if the new birth date makes the child under 14, or not.
    """
    child = await owned(tx, caller, child_id)
    person = await people_queries.find(tx, child_id)
    assert person is not None, "a foreign key"
    was_minor = people.is_under_14(person.birth_date)
    before = {
        "display_name": cipher.open(child.name_sealed),
        "birth_date": person.birth_date,
        "may_leave_alone": child.may_leave_alone,
    }
    changed = sorted(name for name, one in body if before[name] != one)
    if changed:
        person.display_name, person.birth_date = people.masked(body.display_name), body.birth_date
        child.may_leave_alone = body.may_leave_alone
        if "display_name" in changed:
            child.name_sealed = cipher.seal(body.display_name)
        await people_queries.save(tx, person)
        await queries.save(tx, child)
        await audit.write_about(tx, caller, "changed", (NOUN, child_id), None, fields=changed)
    if was_minor != people.is_under_14(body.birth_date):
        gone = [] if was_minor else [str(child_id)]
        await outbox.put(tx, "leaderboards.rebuild", {"person_id": str(child_id), "gone": gone})
    pickups = await queries.pickups(tx, [child_id])
    return await _to_out(tx, cipher, child, person, pickups.get(child_id, []))


async def remove(tx: Session, caller: UUID, child_id: UUID) -> None:
    """Remove a child, whom the job then erases. Raises ChildNotFound, ChildInside."""
    await owned(tx, caller, child_id)
    if await queries.is_inside(tx, child_id, now() - INSIDE_AT_MOST):
        raise ChildInside
    await queries.remove(tx, child_id)
    await audit.write_about(tx, caller, "removed", (NOUN, child_id), None)
    await closures.close_at_once(tx, child_id, ClosureCause.guardian)


async def add_pickup(
    tx: Session,
    cipher: FieldCipher,
    caller: UUID,
    child_id: UUID,
    body: PickupIn,
    guesses: people.CardGuesses,
) -> PickupOut:
    """Name somebody who may fetch a child; who is named by a card is told.

    Raises ChildNotFound, TooManyPickups, PersonNotFound, OwnPickup, what ``guesses`` raises.
    """
    await owned(tx, caller, child_id)
    if len((await queries.pickups(tx, [child_id])).get(child_id, [])) >= MOST_PICKUPS:
        raise TooManyPickups(limit=MOST_PICKUPS)
    person_id = None
    if body.card_no is not None:
        person_id = (await people.by_card(tx, [body.card_no], guesses)).get(body.card_no)
        if person_id is None or await _is_a_child(tx, person_id):
            raise people.PersonNotFound
        if await people.is_any_of(tx, caller, person_id):
            raise OwnPickup
    named = json.dumps({"name": body.name, "relation": body.relation}, ensure_ascii=False)
    pickup = Pickup(
        id=new_id(), child_id=child_id, person_id=person_id, named_sealed=cipher.seal(named)
    )
    await queries.add_pickup(tx, pickup)
    facts = {"pickup": str(pickup.id)}
    await audit.write_about(tx, caller, "pickup_named", (NOUN, child_id), None, facts=facts)
    if person_id is not None:
        await notify.send(tx, person_id, "child_pickup_named", (NOUN, child_id))
    return _pickup_out(cipher, pickup)


async def remove_pickup(tx: Session, caller: UUID, child_id: UUID, pickup_id: UUID) -> None:
    """Take it back that somebody may fetch a child; the codes end. Raises ChildNotFound."""
    await owned(tx, caller, child_id)
    if not await queries.remove_pickup(tx, child_id, pickup_id):
        raise PickupNotFound
    facts = {"pickup": str(pickup_id)}
    await audit.write_about(tx, caller, "pickup_removed", (NOUN, child_id), None, facts=facts)


async def sign_up(tx: Session, caller: UUID, activity_id: UUID, child_id: UUID) -> SignupOut:
    """Claim a place for a child at a class; repeated: the same sign-up.

    Raises ChildNotFound, ActivityNotFound, ActivityNotOpen, SignupsClosed, NotAClass.
    """
    await owned(tx, caller, child_id)
    at = await moments.checked_now(tx)
    claimed = unwrap(await signups.claim(tx, [signups.Claim(activity_id, child_id)], at))
    if claimed.is_new:
        facts = audit.about("activity", activity_id)
        await audit.write_about(tx, caller, "signed_up", (NOUN, child_id), None, facts=facts)
    return claimed.signup


async def cancel(tx: Session, caller: UUID, activity_id: UUID, child_id: UUID) -> None:
    """Give a child's place back.

    Raises ChildNotFound, SignupNotFound, SignupDeclined, AlreadyCheckedIn, TooLateToCancel.
    """
    await owned(tx, caller, child_id)
    key = (activity_id, 0, child_id)
    if (found := (await signup_queries.living(tx, [key])).get(key)) is None:
        raise signups.SignupNotFound
    await signup_decisions.give_back(tx, child_id, found.id)
    about = audit.about("activity", activity_id)
    await audit.write_about(tx, caller, "cancelled", (NOUN, child_id), None, facts=about)


async def list_signups(
    tx: Session, caller: UUID, child_id: UUID, asked: PageParams
) -> Page[MySignupOut]:
    """Return the sign-ups of a child, newest first. Raises ChildNotFound."""
    await require_own(tx, caller, child_id)
    return await signups.mine(tx, child_id, asked)


async def owned(tx: Session, caller: UUID, child_id: UUID) -> Child:
    """Lock and return a child of the caller. Raises ChildNotFound."""
    child = await queries.lock(tx, child_id)
    if child is None or child.guardian_id != caller:
        raise ChildNotFound
    return child


async def require_own(tx: Session, caller: UUID, child_id: UUID) -> None:
    """Raise ChildNotFound unless the child is the caller's."""
    child = await queries.find(tx, child_id)
    if child is None or child.guardian_id != caller:
        raise ChildNotFound


async def erase(tx: Session, erased: Sequence[UUID]) -> None:
    """Close the accounts of children whose guardian is erased: nobody acts for them any more."""
    for child in await queries.of_guardians(tx, erased):
        await queries.remove(tx, child)
        await closures.close_at_once(tx, child, ClosureCause.guardian)


ERASES = erase


async def _is_a_child(tx: Session, person_id: UUID) -> bool:
    return await queries.find(tx, person_id) is not None


async def _to_out(
    tx: Session, cipher: FieldCipher, child: Child, person: Person, pickups: Sequence[Pickup]
) -> ChildOut:
    card = await card_queries.find(tx, child.person_id)
    assert card is not None, "each person has one"
    return ChildOut(
        id=child.person_id,
        display_name=cipher.open(child.name_sealed),
        birth_date=person.birth_date,
        card_no=card_number(card.serial),
        may_leave_alone=child.may_leave_alone,
        pickups=[_pickup_out(cipher, one) for one in pickups],
        created_at=child.created_at,
    )


def _pickup_out(cipher: FieldCipher, pickup: Pickup) -> PickupOut:
    named = FetcherOut.model_validate_json(cipher.open(pickup.named_sealed))
    return PickupOut(
        **named.model_dump(),
        id=pickup.id,
        has_card=pickup.person_id is not None,
        created_at=pickup.created_at,
    )
