"""Sign-ups."""

from fastapi import Request, Response

from app.api import exports
from app.api.access import RESIDENT, allow
from app.api.context import person_of, runtime_of
from app.api.deps import CurrentPerson, PageQuery, Reader, Tx
from app.api.operations import direct, leads_to, naturally_idempotent
from app.api.routes import Router
from app.core.errors import unwrap
from app.core.ids import PathId
from app.core.language import Bilingual
from app.core.paging import Page
from app.schemas.signups import MySignupOut, SignupIn, SignupOut
from app.services import signup_decisions, signup_terms, signups
from app.services.signup_decisions import SignupDeclined
from app.services.signups import (
    AlreadyCheckedIn,
    Claim,
    SignupNotFound,
    TooLateToCancel,
)

ABOUT = Bilingual("报名：名额、候补与取消", "Sign-ups: places, the waiting list, cancellations")
router = Router(tags=["signups"], about=ABOUT)


@router.post(
    "/activities/{activity_id}/signups",
    status_code=201,
    operation_id="signUp",
    **allow(RESIDENT, *signup_terms.REFUSALS, body=True),
)
@leads_to("cancelSignup", {"signup_id": "id"})
@naturally_idempotent
@direct
async def sign_up(
    activity_id: PathId,
    request: Request,
    response: Response,
    body: SignupIn | None = None,
) -> SignupOut:
    """Take a place, or one in the waiting list. Repeated: 200 and the same sign-up."""
    asked = body or SignupIn()
    claim = Claim(activity_id, person_of(request), asked.session, asked.friends)
    claimed = unwrap([await runtime_of(request).signups.submit(claim)])
    if not claimed.is_new:
        response.status_code = 200
    return claimed.signup


@router.delete(
    "/signups/{signup_id}",
    status_code=204,
    operation_id="cancelSignup",
    **allow(RESIDENT, SignupNotFound, SignupDeclined, AlreadyCheckedIn, TooLateToCancel),
)
async def cancel_signup(signup_id: PathId, tx: Tx, person_id: CurrentPerson) -> Response:
    """Give a place back before the activity begins; the first in the waiting list gets it."""
    await signup_decisions.give_back(tx, person_id, signup_id)
    return Response(status_code=204)


@router.get("/me/signups", operation_id="listMySignups", **allow(RESIDENT))
async def list_my_signups(
    tx: Reader, person_id: CurrentPerson, page: PageQuery
) -> Page[MySignupOut]:
    """List the caller's sign-ups, newest first, with what each has brought."""
    return await signups.mine(tx, person_id, page)


exports.beside(router, list_my_signups, Bilingual("我的报名", "My sign-ups"))
