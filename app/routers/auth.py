"""Logging in, refreshing, logging out."""

from fastapi import Response

from app.api.access import ANYONE, RESIDENT, allow
from app.api.context import address_of
from app.api.deps import AppRuntime, CurrentPerson
from app.api.guesses import LOGIN_GUESS, Guess
from app.api.operations import leads_to, no_store
from app.api.routes import Router
from app.core.errors import Refusal
from app.core.language import Bilingual
from app.integrations.wechat.refusals import (
    CodeInvalid,
    UserAtRisk,
    WechatLimited,
    WechatUnavailable,
)
from app.schemas.people import LoginOut, RefreshIn, WechatLoginIn
from app.services import auth
from app.services.auth import PersonSuspended, RefreshReused, TokenRefused

ABOUT = Bilingual("登录：微信登录、刷新、退出", "Logging in with WeChat, refreshing, logging out")
router = Router(prefix="/auth", tags=["auth"], about=ABOUT)
WECHAT_REFUSALS: tuple[type[Refusal], ...] = (
    CodeInvalid,
    UserAtRisk,
    WechatLimited,
    WechatUnavailable,
)


@router.post(
    "/wechat",
    operation_id="logIn",
    **allow(
        ANYONE,
        *WECHAT_REFUSALS,
        PersonSuspended,
        body=True,
        guess=Guess(LOGIN_GUESS, CodeInvalid, client=address_of),
    ),
)
@leads_to("refreshLogin", {"body.refresh_token": "refresh_token"})
@no_store
async def log_in(body: WechatLoginIn, runtime: AppRuntime) -> LoginOut:
    """Exchange the code of `wx.login` for tokens. A new openid is registered as a new resident."""
    session = await runtime.wechat.code_to_session(body.code)
    # Not before the call to WeChat, which may take seconds.
    async with runtime.database.transaction() as tx:
        return await auth.log_in(tx, runtime.cipher, runtime.tokens, session)


@router.post(
    "/refresh",
    operation_id="refreshLogin",
    # A spent token was not guessed: only unknown tokens count as guesses.
    **allow(
        ANYONE,
        TokenRefused,
        RefreshReused,
        body=True,
        guess=Guess(LOGIN_GUESS, TokenRefused, client=address_of),
    ),
)
@leads_to("logOut", {"body.refresh_token": "refresh_token"})
@no_store
async def refresh(body: RefreshIn, runtime: AppRuntime) -> LoginOut:
    """Exchange a refresh token for a new one; the old one becomes invalid."""
    async with runtime.database.transaction() as tx:
        outcome = await auth.refresh(tx, runtime.tokens, body.refresh_token)
    if isinstance(outcome, auth.Revoked):
        await runtime.revocations.add(outcome.family_id)
        raise RefreshReused
    return outcome


@router.post("/logout", operation_id="logOut", status_code=204, **allow(RESIDENT, body=True))
@no_store
async def log_out(body: RefreshIn, runtime: AppRuntime, person_id: CurrentPerson) -> Response:
    """End the login of the refresh token, including its access tokens."""
    async with runtime.database.transaction() as tx:
        family = await auth.log_out(tx, person_id, body.refresh_token)
    if family is not None:
        await runtime.revocations.add(family)
    return Response(status_code=204)
