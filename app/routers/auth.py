"""Logging in, refreshing, logging out."""

from fastapi import Request, Response

from app.api.access import ANYONE, LOGIN_GUESS, RESIDENT, allow, guessing
from app.api.context import address_of
from app.api.deps import AppRuntime, CurrentPerson
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.errors import Refusal
from app.integrations.wechat import CodeInvalid, UserAtRisk, WechatLimited, WechatUnavailable
from app.schemas.people import LoginOut, RefreshIn, WechatLoginIn
from app.services import auth
from app.services.auth import RefreshReused, TokenRefused

router = Router(prefix="/auth", tags=["auth"])
WECHAT_REFUSALS: tuple[type[Refusal], ...] = (
    CodeInvalid,
    UserAtRisk,
    WechatLimited,
    WechatUnavailable,
)


@router.post("/wechat", operation_id="logIn", **allow(ANYONE, *WECHAT_REFUSALS, body=True))
@leads_to("refreshLogin", {"body.refresh_token": "refresh_token"})
async def log_in(body: WechatLoginIn, request: Request, runtime: AppRuntime) -> LoginOut:
    """Trade the code of `wx.login` for tokens. A new openid is a new resident."""
    async with guessing(runtime, LOGIN_GUESS, address_of(request), CodeInvalid):
        session = await runtime.wechat.code_to_session(body.code)
    # The transaction begins only now: WeChat may take seconds.
    async with runtime.database.transaction() as tx:
        return await auth.log_in(tx, runtime.cipher, runtime.tokens, session)


@router.post(
    "/refresh",
    operation_id="refreshLogin",
    **allow(ANYONE, TokenRefused, RefreshReused, body=True),
)
@leads_to("logOut", {"body.refresh_token": "refresh_token"})
async def refresh(body: RefreshIn, request: Request, runtime: AppRuntime) -> LoginOut:
    """Trade a refresh token for its successor; the old one is dead."""
    # Whoever has a spent token has not guessed it: only unknown ones count as guesses.
    async with guessing(runtime, LOGIN_GUESS, address_of(request), TokenRefused):
        async with runtime.database.transaction() as tx:
            outcome = await auth.refresh(tx, runtime.tokens, body.refresh_token)
        if isinstance(outcome, auth.Revoked):
            await runtime.revocations.add(outcome.family_id)
            raise RefreshReused
    return outcome


@router.post("/logout", operation_id="logOut", status_code=204, **allow(RESIDENT, body=True))
async def log_out(body: RefreshIn, runtime: AppRuntime, person_id: CurrentPerson) -> Response:
    """End the login that the refresh token belongs to, access tokens included."""
    async with runtime.database.transaction() as tx:
        family = await auth.log_out(tx, person_id, body.refresh_token)
    if family is not None:
        await runtime.revocations.add(family)
    return Response(status_code=204)
