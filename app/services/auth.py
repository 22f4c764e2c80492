"""Login with WeChat, refresh of tokens, logout."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.keys import FieldCipher
from app.core.tokens import LIFETIME, Tokens
from app.integrations.wechat.client import WechatSession
from app.models.people import Person
from app.queries import auth as queries
from app.queries import people
from app.schemas.people import LoginOut, PersonOut

REFRESH_LIFETIME = timedelta(days=30)
REFRESH_BYTES = 32
# Two pages of one phone may send the same refresh token at once. Within this time the second
# request is refused without revoking the login.
REUSE_GRACE = timedelta(seconds=5)


class TokenRefused(Refusal):
    code, status, title = "auth.token_invalid", 401, "Token invalid"
    zh, en = "登录已失效，请重新登录", "The token is not valid; log in again."


class LoginRequired(Refusal):
    code, status, title = "auth.login_required", 401, "Login required"
    zh, en = "请先登录", "Log in first."


class RefreshReused(Refusal):
    """The token was spent before. If longer than REUSE_GRACE ago, its login is ended as stolen."""

    code, status, title = "auth.refresh_reused", 401, "Refresh token reused"
    zh, en = "登录凭证被重复使用，请重新登录", "This refresh token was used before; log in again."


class PersonSuspended(Refusal):
    code, status, title = "auth.suspended", 403, "Account suspended"
    zh, en = "账号已停用，请联系所在组织", "The account is suspended; ask your organisation."
    fact_names = ("suspended_at",)


@dataclass(frozen=True)
class Revoked:
    """A login to end at once. The caller commits, revokes the family in Redis, and then refuses."""

    family_id: UUID


async def log_in(
    tx: Session, cipher: FieldCipher, tokens: Tokens, session: WechatSession
) -> LoginOut:
    """Find or create the person of an openid and start a login.

    Raises PersonSuspended; TokenRefused if the account is merged now.
    """
    person, is_new = await identify(tx, cipher, session)
    family = await begin(tx, person.id)
    return await _issue(tx, tokens, person.id, person.display_name, family, is_new=is_new)


async def identify(tx: Session, cipher: FieldCipher, session: WechatSession) -> tuple[Person, bool]:
    """Find or create the person of an openid; also tell whether this call made the account.

    The session_key is not stored, as nothing needs it. Of an account that was merged the one that
    was kept is returned.
    """
    indexes = cipher.indexes(session.openid)
    person = await people.find_by_openid(tx, indexes)
    is_new = False
    if person is None:
        made = await people.add(
            tx,
            openid_index=indexes[0],
            openid_sealed=cipher.seal(session.openid),
            # WeChat returns no nickname at login; people set their own.
            display_name=f"青年{secrets.randbelow(10**6):06}",
        )
        is_new = made is not None
        person = await people.find_by_openid(tx, indexes)
        assert person is not None
    elif person.openid_index != indexes[0]:
        # Found by the index of a secret before its rotation: store the index of the current one.
        await people.reseal(tx, person.id, indexes[0], cipher.seal(session.openid))
    if person.merged_into_id is not None:
        person = await people.find(tx, person.merged_into_id)
        assert person is not None, "a foreign key"
    return person, is_new


async def begin(tx: Session, person_id: UUID) -> UUID:
    """Start a login; return its family. Raises PersonSuspended; TokenRefused if merged now."""
    family = await queries.start_family(tx, person_id)
    # Not before: the new login waits for a suspension or a merge that is being committed.
    suspended_at, merged_into = await people.standing(tx, person_id)
    if suspended_at is not None:
        raise PersonSuspended(suspended_at=suspended_at)
    if merged_into is not None:
        raise TokenRefused
    return family


async def refresh(tx: Session, tokens: Tokens, token: str) -> LoginOut | Revoked:
    """Exchange a refresh token for its successor.

    Raises TokenRefused for an unknown, expired or revoked token, and RefreshReused for one that was
    spent less than REUSE_GRACE ago. A token that was spent earlier revokes its login. Revoked is
    then returned, not raised, because an exception would roll the revocation back.
    """
    at = now()
    spent = await queries.spend(tx, _hash(token), at)
    if spent is None or spent.revoked_at is not None or spent.expires_at <= at:
        raise TokenRefused
    if not spent.was_fresh:
        if spent.used_at is None or at - spent.used_at < REUSE_GRACE:
            raise RefreshReused
        await queries.revoke_family(tx, spent.family_id, now())
        return Revoked(spent.family_id)
    person = await people.find(tx, spent.person_id)
    assert person is not None
    return await _issue(tx, tokens, person.id, person.display_name, spent.family_id, is_new=False)


async def log_out(tx: Session, person_id: UUID, token: str) -> UUID | None:
    """End the login of a refresh token; return its family. None if it is another person's."""
    found = await queries.family_of(tx, _hash(token))
    if found is None or found[1] != person_id:
        return None
    await queries.revoke_family(tx, found[0], now())
    return found[0]


async def forget_expired_tokens(tx: Session) -> None:
    """Delete refresh tokens that have expired."""
    await queries.forget_expired(tx, now())


async def _issue(
    tx: Session, tokens: Tokens, person_id: UUID, name: str, family: UUID, *, is_new: bool
) -> LoginOut:
    at = now()
    refresh_token = secrets.token_urlsafe(REFRESH_BYTES)
    await queries.insert_token(tx, family, _hash(refresh_token), at + REFRESH_LIFETIME)
    return LoginOut(
        access_token=tokens.sign(person_id, family, at),
        expires_in=int(LIFETIME.total_seconds()),
        refresh_token=refresh_token,
        person=PersonOut(id=person_id, display_name=name),
        is_new=is_new,
    )


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
