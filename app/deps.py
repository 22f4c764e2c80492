"""What a route handler may ask for: Annotated aliases, and the policies that guard routes.

Each dependency costs FastAPI about as much as a bare request. What a crowd calls takes the
``Request`` and asks ``runtime_of``, ``person_of`` and ``caller_of`` instead.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel, Field

from app.core.batching import Batcher
from app.core.db import Session
from app.core.errors import (
    Busy,
    Invalid,
    Language,
    Malformed,
    RateLimited,
    Refusal,
    TooLarge,
)
from app.core.outcomes import single
from app.core.problems import MEDIA_TYPE, Problem, language_of, problem
from app.core.ratelimit import Limit
from app.core.tokens import Claims, TokenInvalid
from app.models.people import Role
from app.runtime import Runtime
from app.services import idempotency
from app.services.auth import TokenRefused
from app.services.idempotency import Attempt, Replied, Reply
from app.services.people import Forbidden

# A venue's Wi-Fi is one address for everybody in the hall.
ANONYMOUS = Limit("anonymous", burst=600, per_second=50)
PERSON = Limit("person", burst=300, per_second=20)
# Only wrong guesses count against these, so that a hall may log in at once.
LOGIN_GUESS = Limit("login", burst=60, per_second=1, fail_closed=True)
CODE_GUESS = Limit("code", burst=20, per_second=0.2, fail_closed=True)
MAX_AUTHORIZATION = 8192
C = TypeVar("C")
R = TypeVar("R")
BEARER = "bearer"  # the name of the security scheme in OpenAPI


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _runtime(request: Request) -> Runtime:
    return runtime_of(request)  # async: a plain function would cost a thread hop


@dataclass(frozen=True)
class Policy:
    """Who may call a route. Used as a dependency, so that it runs before everything else.

    ``roles``: the caller must hold one of them somewhere; the service then narrows it to
    the place, in SQL.
    """

    name: str
    authenticated: bool = True
    roles: tuple[Role, ...] = ()
    limited: bool = True

    async def __call__(self, request: Request) -> None:
        if not self.limited:
            return
        runtime = runtime_of(request)
        claims = _claims(request, runtime)
        if claims is None and self.authenticated:
            raise TokenRefused
        request.state.caller = claims
        if claims is None:
            verdict = await runtime.limiter.take(ANONYMOUS, address_of(request))
        else:
            bar = runtime.revocations.bar(claims.family_id)
            verdict = await runtime.limiter.take(PERSON, str(claims.person_id), bar=bar)
        request.state.headers = verdict.headers()
        verdict.enforce()
        if claims is not None and (
            verdict.barred or runtime.revocations.known_here(claims.family_id)
        ):
            raise TokenRefused
        if self.roles and claims is not None:
            held = await runtime.roles.submit(claims.person_id)
            if not held.intersection(self.roles):
                raise Forbidden


PROBE = Policy("probe", authenticated=False, limited=False)
ANYONE = Policy("anyone", authenticated=False)
RESIDENT = Policy("person")
ORGANIZER = Policy("organizer", roles=(Role.organizer, Role.administrator))
ADMINISTRATOR = Policy("administrator", roles=(Role.administrator,))
MERCHANT_STAFF = Policy("merchant staff", roles=(Role.merchant_staff,))


def allow(policy: Policy, *refusals: type[Refusal], body: bool = False) -> dict[str, Any]:
    """Declare a route's policy and document what it may refuse, for its decorator.

    ``body``: the route reads a request body. What every route can answer is added.
    """
    every: list[type[Refusal]] = [Busy, Invalid, *([RateLimited] if policy.limited else [])]
    if policy.authenticated:
        every.append(TokenRefused)
    if policy.roles:
        every.append(Forbidden)
    if body:
        every += [Malformed, TooLarge]
    by_status: dict[int | str, dict[str, Any]] = {}
    for refusal in sorted({*refusals, *every}, key=lambda r: (r.status, r.code)):
        entry = by_status.setdefault(refusal.status, {"codes": []})
        entry["codes"].append(f"`{refusal.code}`")
    bearer: dict[str, list[str]] = {BEARER: []}
    security = [bearer] if policy.authenticated else [{}, bearer]
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        "dependencies": [Depends(policy)],
        "openapi_extra": {"x-policy": policy.name, "security": security},
        "responses": {
            status: {
                "description": ", ".join(entry["codes"]),
                "content": {MEDIA_TYPE: {"schema": schema}},
            }
            for status, entry in by_status.items()
        },
    }


def _claims(request: Request, runtime: Runtime) -> Claims | None:
    """Read the bearer token; None without one. A wrong one is refused even where none is needed."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or len(header) > MAX_AUTHORIZATION:
        raise TokenRefused
    try:
        return runtime.tokens.verify(token.strip())
    except TokenInvalid:
        raise TokenRefused from None


def address_of(request: Request) -> str:
    """Return the caller's address; uvicorn has believed a proxy only if it is a trusted one."""
    return request.client.host if request.client else "unknown"


async def _transaction(request: Request) -> AsyncIterator[Session]:
    async with runtime_of(request).database.transaction() as session:
        yield session


async def _reader(request: Request) -> AsyncIterator[Session]:
    async with runtime_of(request).database.read() as session:
        yield session


def person_of(request: Request) -> UUID:
    """Return who calls, on a route whose policy demands a person."""
    caller = caller_of(request)
    assert caller is not None, "the route's policy demands a person"
    return caller


def caller_of(request: Request) -> UUID | None:
    claims: Claims | None = request.state.caller
    return claims.person_id if claims else None


async def _person(request: Request) -> UUID:
    return person_of(request)


async def _caller(request: Request) -> UUID | None:
    return caller_of(request)


async def _language(request: Request) -> Language:
    return language_of(request)


# With FastAPI's default scope the client would get its reply before the commit.
Tx = Annotated[Session, Depends(_transaction, scope="function")]
Reader = Annotated[Session, Depends(_reader, scope="function")]
AppRuntime = Annotated[Runtime, Depends(_runtime)]
CurrentPerson = Annotated[UUID, Depends(_person)]
Caller = Annotated[UUID | None, Depends(_caller)]
Tongue = Annotated[Language, Depends(_language)]


class PageParams(BaseModel):
    """``limit`` items from ``cursor`` on."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(max_length=300)] | None = None


LimitQuery = Annotated[int, Query(ge=1, le=100)]
CursorQuery = Annotated[str | None, Query(max_length=300)]


async def _page(limit: LimitQuery = 20, cursor: CursorQuery = None) -> PageParams:
    return PageParams(limit=limit, cursor=cursor)


PageQuery = Annotated[PageParams, Depends(_page)]


@asynccontextmanager
async def guessing(
    runtime: Runtime, limit: Limit, client: str, *wrong: type[Refusal]
) -> AsyncIterator[None]:
    """Let a caller try a secret, unless too many of its tries were ``wrong``.

    Tries that are under way do not count, or a hall on one address could not log in at
    once. Many wrong ones at the same moment all count afterwards, as a debt.
    """
    (await runtime.limiter.check(limit, client)).enforce()
    try:
        yield
    except wrong:
        await runtime.limiter.charge(limit, client)
        raise


class Once:
    """Runs a write once for an Idempotency-Key; a repeat gets the first reply, byte for byte."""

    def __init__(self, request: Request, key: str, person_id: UUID, body: bytes) -> None:
        self._request = request
        self._key = (person_id, key)
        text = f"{request.method} {request.url.path}\n".encode()
        self._fingerprint = sha256(text + body).digest()

    async def run(
        self, tx: Session, status: int, work: Callable[[], Awaitable[BaseModel]]
    ) -> Response:
        """Do the work in the transaction, or replay."""
        attempt = Attempt(self._key, self._fingerprint, None, self._renderer(status))
        return _reply(await idempotency.run_one(tx, attempt, work))

    async def join(
        self,
        commands: Batcher[Attempt[C, R], Replied | Refusal],
        command: C,
        status: int,
        *,
        guess: Limit,
        wrong: type[Refusal],
    ) -> Response:
        """Let the work join a list, or replay.

        As with ``guessing``, what was ``wrong`` counts against the limit of guesses.
        """
        limiter, client = runtime_of(self._request).limiter, str(self._key[0])
        too_many = (await limiter.check(guess, client)).refusal()
        attempt = Attempt(
            self._key, self._fingerprint, command, self._renderer(status), instead=too_many
        )
        replied = single([await commands.submit(attempt)])
        if isinstance(replied.refusal, wrong):
            await limiter.charge(guess, client)
        return _reply(replied)

    def _renderer(self, status: int) -> Callable[[Any], Reply]:
        def render(outcome: BaseModel | Refusal) -> Reply:
            if isinstance(outcome, Refusal):
                rendered = problem(self._request, outcome)
                return Reply(rendered.status_code, bytes(rendered.body))
            return Reply(status, outcome.model_dump_json().encode())

        return render


def _reply(replied: Replied) -> Response:
    reply = replied.reply
    headers = {"Idempotency-Replayed": "true"} if replied.is_replay else {}
    media_type = MEDIA_TYPE if reply.status >= 400 else "application/json"
    return Response(reply.body, reply.status, headers, media_type)


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(description="Up to 255 visible characters, new for each new intent. Required."),
    ] = None,
) -> Once:
    key = idempotency.parse_key(idempotency_key)
    return Once(request, key, person_of(request), await request.body())


IdempotencyKey = Annotated[Once, Depends(_once)]
KEY_REFUSALS = (
    idempotency.KeyMissing,
    idempotency.KeyMalformed,
    idempotency.KeyReused,
    idempotency.KeyInFlight,
)
