"""Children of the caller, who is their guardian."""

from fastapi import Response

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.deps import Cipher, CurrentPerson, PageQuery, Reader, Tx
from app.api.guesses import CardGuesses
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.base import Nothing
from app.schemas.children import (
    ChildEditIn,
    ChildIn,
    ChildOut,
    ChildrenOut,
    PickupIn,
    PickupOut,
)
from app.schemas.signups import MySignupOut, SignupOut
from app.services import children, signup_terms
from app.services.children import (
    ChildInside,
    ChildNotFound,
    OwnPickup,
    PickupNotFound,
    TooManyChildren,
    TooManyPickups,
)
from app.services.consents import TextOutdated
from app.services.people import PersonNotFound
from app.services.signup_decisions import SignupDeclined
from app.services.signup_terms import NotAClass
from app.services.signups import (
    AlreadyCheckedIn,
    SignupNotFound,
    TooLateToCancel,
)

ABOUT = Bilingual(
    "孩子：监护人登记孩子、接送人，为孩子报名课堂",
    "Children: entered by their guardian, with who may fetch them, and signed up to classes",
)
router = Router(tags=["children"], about=ABOUT)


@router.get("/me/children", operation_id="listMyChildren", **allow(RESIDENT))
async def list_my_children(tx: Reader, cipher: Cipher, person_id: CurrentPerson) -> ChildrenOut:
    """Return the caller's children, with who may fetch them."""
    return await children.mine(tx, cipher, person_id)


@router.post(
    "/me/children",
    status_code=201,
    operation_id="addChild",
    **allow(RESIDENT, PersonNotFound, TooManyChildren, TextOutdated, body=True, once=True),
)
@leads_to("updateChild", {"child_id": "id"})
async def add_child(body: ChildIn, tx: Tx, cipher: Cipher, person_id: CurrentPerson) -> ChildOut:
    """Enter a child with the guardian's consent; 6 at most."""
    return await children.add(tx, cipher, person_id, body)


@router.put(
    "/me/children/{child_id}",
    operation_id="updateChild",
    **allow(RESIDENT, ChildNotFound, body=True),
)
async def update_child(
    child_id: PathId, body: ChildEditIn, tx: Tx, cipher: Cipher, person_id: CurrentPerson
) -> ChildOut:
    """Replace what is kept of a child."""
    return await children.replace(tx, cipher, person_id, child_id, body)


@router.delete(
    "/me/children/{child_id}",
    status_code=204,
    operation_id="removeChild",
    **allow(RESIDENT, ChildNotFound, ChildInside),
)
async def remove_child(child_id: PathId, tx: Tx, person_id: CurrentPerson) -> Response:
    """Remove a child: it is erased, what it was awarded stays under a pseudonym."""
    await children.remove(tx, person_id, child_id)
    return Response(status_code=204)


@router.post(
    "/me/children/{child_id}/pickups",
    status_code=201,
    operation_id="addPickup",
    **allow(
        RESIDENT, ChildNotFound, TooManyPickups, PersonNotFound, OwnPickup, body=True, once=True
    ),
)
@leads_to("removePickup", {"pickup_id": "id"})
async def add_pickup(
    child_id: PathId,
    body: PickupIn,
    tx: Tx,
    cipher: Cipher,
    person_id: CurrentPerson,
    guesses: CardGuesses,
) -> PickupOut:
    """Name somebody who may fetch the child; 4 at most. Who is named by a card is told."""
    return await children.add_pickup(tx, cipher, person_id, child_id, body, guesses)


@router.delete(
    "/me/children/{child_id}/pickups/{pickup_id}",
    status_code=204,
    operation_id="removePickup",
    **allow(RESIDENT, ChildNotFound, PickupNotFound),
)
async def remove_pickup(
    child_id: PathId, pickup_id: PathId, tx: Tx, person_id: CurrentPerson
) -> Response:
    """Take it back that somebody may fetch the child; codes for that person end."""
    await children.remove_pickup(tx, person_id, child_id, pickup_id)
    return Response(status_code=204)


@router.get(
    "/me/children/{child_id}/signups",
    operation_id="listChildSignups",
    **allow(RESIDENT, ChildNotFound),
)
async def list_child_signups(
    child_id: PathId, tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[MySignupOut]:
    """Return the child's sign-ups, newest first, with what each has brought."""
    return await children.list_signups(tx, person_id, child_id, page)


exports.beside(router, list_child_signups, Bilingual("孩子的报名", "Sign-ups of a child"))


@router.post(
    "/activities/{activity_id}/children/{child_id}/signup",
    operation_id="signUpChild",
    **allow(
        RESIDENT,
        ChildNotFound,
        *signup_terms.REFUSALS,
        NotAClass,
        body=True,
        once=True,
    ),
)
async def sign_up_child(
    activity_id: PathId,
    child_id: PathId,
    tx: Tx,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> SignupOut:
    """Take a place at a class for a child, or one in the waiting list."""
    return await children.sign_up(tx, person_id, activity_id, child_id)


@router.delete(
    "/activities/{activity_id}/children/{child_id}/signup",
    status_code=204,
    operation_id="cancelChildSignup",
    **allow(
        RESIDENT,
        *(ChildNotFound, SignupNotFound, SignupDeclined, AlreadyCheckedIn, TooLateToCancel),
    ),
)
async def cancel_child_signup(
    activity_id: PathId, child_id: PathId, tx: Tx, person_id: CurrentPerson
) -> Response:
    """Give the child's place back before the class begins."""
    await children.cancel(tx, person_id, activity_id, child_id)
    return Response(status_code=204)
