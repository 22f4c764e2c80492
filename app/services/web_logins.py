"""Logins of web pages: a cookie instead of tokens, begun by a ticket that a phone confirms."""

import re
import secrets
import time
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from app.core.clock import now
from app.core.db import ReadPool, Session
from app.core.errors import Refusal
from app.core.tickets import Shown, TicketOver, Tickets
from app.core.tokens import Claims
from app.queries import auth as auth_queries
from app.queries import web_logins as queries
from app.schemas.web_logins import WebLoginOut
from app.services import auth

# From the login on; nothing prolongs it.
LASTS = timedelta(hours=12)
TOKEN_BYTES = 32
# How long a process takes a login for alive without looking. One that was revoked is refused at
# once, by ``Revocations``, which remembers for longer than this.
KNOWN_S = 60.0
MOST_KNOWN = 5_000
# The first that matches: Edge and Chrome call themselves Chrome and Safari too.
_BROWSERS = (
    *(("MicroMessenger", "WeChat"), ("Edg", "Edge"), ("Firefox", "Firefox")),
    *(("Chrome", "Chrome"), ("Safari", "Safari")),
)
_SYSTEMS = (
    *(("HarmonyOS|OpenHarmony", "HarmonyOS"), ("Android", "Android"), ("iPhone|iPad", "iOS")),
    *(("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux")),
)


class WebLoginOver(Refusal):
    """The ticket is older than two minutes, was used, or somebody else has confirmed it."""

    code, status, title = "auth.web_login_over", 404, "Web login over"
    zh, en = (
        "登录二维码已失效，请在网页上刷新",
        "This login code is over; show a new one on the page.",
    )


class WebLogins:
    """The logins of pages, looked up at most once in KNOWN_S by a process."""

    def __init__(self, pool: ReadPool) -> None:
        self._pool = pool
        self._known: dict[bytes, tuple[Claims, float]] = {}

    def known(self, token: str) -> Claims | None:
        """Return the claims of a login that was looked up lately."""
        claims, until = self._known.get(_hash(token), (None, 0.0))
        is_alive = claims is not None and claims.expires_at > now().timestamp()
        return claims if is_alive and until > time.monotonic() else None

    async def find(self, token: str) -> Claims | None:
        """Look a login up; None if it never was, has expired, or was ended."""
        async with self._pool.read() as tx:
            found = await queries.find(tx, _hash(token))
        if found is None or found[2] <= now():
            return None
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        claims = Claims(found[0], found[1], int(found[2].timestamp()))
        self._known[_hash(token)] = claims, time.monotonic() + KNOWN_S
        return claims


async def begin(tx: Session, person_id: UUID) -> str:
    """Begin a login; return its cookie. Raises PersonSuspended, or TokenRefused if merged."""
    family = await auth.begin(tx, person_id)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    await queries.add(tx, _hash(token), family, now() + LASTS)
    return token


async def end(tx: Session, family: UUID) -> UUID:
    """End one login; return its family, to be revoked after the commit."""
    await auth_queries.revoke_family(tx, family, now())
    return family


async def end_all(tx: Session, person_id: UUID) -> list[UUID]:
    """End all logins of a person, on phones too; return their families."""
    return await auth_queries.revoke_all(tx, person_id, now())


async def look(tickets: Tickets, ticket: str) -> WebLoginOut:
    """Return what a ticket says of the page that shows it. Raises WebLoginOver."""
    try:
        return _to_out(await tickets.look(ticket))
    except TicketOver:
        raise WebLoginOver from None


async def confirm(tickets: Tickets, ticket: str, person_id: UUID) -> WebLoginOut:
    """Let the page that shows a ticket log in as a person. Raises WebLoginOver."""
    try:
        await tickets.confirm(ticket, person_id)
        return _to_out(await tickets.look(ticket))
    except TicketOver:
        raise WebLoginOver from None


async def forget_expired(tx: Session) -> None:
    """Delete the logins that have expired."""
    await queries.forget_expired(tx, now())


def browser_of(agent: str) -> str:
    """Return browser and system of a User-Agent header: ``Chrome · Windows``."""
    found = [
        next((name for pattern, name in names if re.search(pattern, agent)), None)
        for names in (_BROWSERS, _SYSTEMS)
    ]
    return " · ".join(one for one in found if one) or "?"


def _to_out(shown: Shown) -> WebLoginOut:
    browser = browser_of(shown.agent)
    return WebLoginOut(number=shown.number, browser=browser, expires_in=shown.expires_in)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
