"""Access rules: who may call a route, rate limits, idempotency, and the refusals of a route."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.routing import RouteContext, iter_route_contexts

from app.api.context import address_of, runtime_of
from app.api.guesses import Guess, counted
from app.api.idempotency import KEY_REFUSALS
from app.api.idempotency import once as run_once
from app.api.problems import MEDIA_TYPE, Problem
from app.api.routes import Guard, Handler, Look, Route
from app.core.errors import (
    Busy,
    ClockWrong,
    Invalid,
    Malformed,
    PreconditionFailed,
    PreconditionMissing,
    RateLimited,
    Refusal,
    TooLarge,
)
from app.core.ratelimit import Limit, Verdict
from app.core.tokens import Claims, TokenInvalid
from app.models.people import Role
from app.runtime import Runtime
from app.services.auth import LoginRequired, TokenRefused
from app.services.merchants.access import MerchantNotYours
from app.services.people import Forbidden

# All phones on the Wi-Fi of a venue share one address.
ANONYMOUS = Limit("anonymous", burst=600, per_second=50)
PERSON = Limit("person", burst=300, per_second=20)
MAX_AUTHORIZATION = 8192
# Bare or quoted, as in the IETF draft; a key that begins with a quote must end with one.
KEY_PATTERN = r'^("[!-~]{1,255}"|[!#-~]([!-~]{0,253}[!#-~])?)$'
# A version, bare or quoted; of an ETag what stands before the hyphen. Proxies make ETags weak.
IF_MATCH_PATTERN = r'^(W/)?"?[0-9]{1,9}(-[0-9a-f]{1,64})?"?$'
KEY_PARAMETER = {
    "name": "idempotency-key",
    "in": "header",
    "required": True,
    "description": "Up to 255 visible characters, new for each new intent.",
    "schema": {"type": "string", "maxLength": 257, "pattern": KEY_PATTERN},
    "example": "3f1c1a52-6c0e-4c8e-9a53-5a0f6f1d2b7e",
}
IF_MATCH_PARAMETER = {
    "name": "if-match",
    "in": "header",
    "required": True,
    "description": 'The `version` that was read, or the ETag of its GET: `"3"`.',
    "schema": {"type": "string", "maxLength": 100, "pattern": IF_MATCH_PATTERN},
    "example": '"1"',
}
MERCHANT_PARAMETER = {
    "name": "x-merchant",
    "in": "header",
    "required": False,
    "description": "The id of the merchant that the caller acts for, if it works at several;"
    " by default the one it has worked at longest.",
    "schema": {"type": "string", "format": "uuid"},
}
BEARER = "bearer"  # name of the security scheme in OpenAPI


@dataclass(frozen=True)
class AccessRule(Guard):
    """Who may call a route.

    ``roles``: the caller must hold one of them at any organisation; the service then checks the
    organisation, in SQL. ``limit``: the rate limit in place of ``PERSON`` or ``ANONYMOUS``.
    ``once``: the route requires an Idempotency-Key; ``once_in_batch``: so too, but its handler
    claims the key. ``seals``: the stored reply is encrypted. ``guess``: the secret that callers
    could guess. ``look``: refuses a large form before its file is read. ``refusals``: those of this
    route, beyond the ones common to all routes; ``answers``: all that it may answer with.
    """

    name: str
    authenticated: bool = True
    roles: tuple[Role, ...] = ()
    limited: bool = True
    once: bool = False
    once_in_batch: bool = False
    seals: bool = False
    guess: Guess | None = None
    limit: Limit | None = None
    look: Look | None = None
    refusals: tuple[type[Refusal], ...] = ()
    answers: tuple[type[Refusal], ...] = ()

    def around(self, handler: Handler) -> Handler:
        if self.guess is not None:
            handler = counted(handler, self.guess, replays=self.once or self.once_in_batch)
        return run_once(handler, seals=self.seals) if self.once else handler

    async def __call__(self, request: Request) -> None:
        if not self.limited:
            return
        runtime = runtime_of(request)
        claims = self.claims_of(request, runtime)
        if claims is None and self.authenticated:
            raise LoginRequired
        request.state.caller = claims
        if claims is None:
            limit = self.limit or ANONYMOUS
            verdict, locked = await runtime.limiter.take(limit, address_of(request)), None
        else:
            verdict, locked = await self._admit(request, runtime, claims)
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
        if locked is not None and not locked.redis_down:
            locked.enforce()

    def claims_of(self, request: Request, runtime: Runtime) -> Claims | None:
        """Return who calls: by the bearer token. Raises TokenRefused."""
        return _claims(request, runtime)

    async def _admit(
        self, request: Request, runtime: Runtime, claims: Claims
    ) -> tuple[Verdict, Verdict | None]:
        """Count the request; also tell whether the caller has guessed too often."""
        limit, guess = self.limit or PERSON, self.guess
        bar = runtime.revocations.bar(claims.family_id)
        if guess is None or not guess.signed:
            return await runtime.limiter.take(limit, claims.person, bar=bar), None
        guesser = str(guess.client(request))
        return await runtime.limiter.take_unless(limit, claims.person, bar, guess.limit, guesser)


PROBE = AccessRule("probe", authenticated=False, limited=False)
ANYONE = AccessRule("anyone", authenticated=False)
RESIDENT = AccessRule("person")
ORGANIZER = AccessRule("organizer", roles=(Role.organizer, Role.administrator))
READER = AccessRule("reader", roles=(Role.organizer, Role.administrator, Role.auditor))
AUDITOR = AccessRule("auditor", roles=(Role.auditor, Role.administrator))
ADMINISTRATOR = AccessRule("administrator", roles=(Role.administrator,))
MERCHANT_STAFF = AccessRule("merchant staff", roles=(Role.merchant_staff,))
# Whoever looks after a merchant, its shops and its staff: the staff, or organizers above it.
KEEPER = AccessRule(
    "merchant keeper", roles=(Role.merchant_staff, Role.organizer, Role.administrator)
)

# Whoever reads about a merchant what its keepers see: they, and the auditors above it.
MERCHANT_READER = AccessRule("merchant reader", roles=(*KEEPER.roles, Role.auditor))


def allow(
    rule: AccessRule,
    *refusals: type[Refusal],
    body: bool = False,
    once: bool = False,
    once_in_batch: bool = False,
    seals: bool = False,
    if_match: bool = False,
    headers: Sequence[dict[str, Any]] = (),
    guess: Guess | None = None,
) -> dict[str, Any]:
    """Return the route arguments that declare an access rule and document the refusals.

    ``body``: the route reads a request body. ``once``: it requires an Idempotency-Key, and a
    repeated request gets the first reply; ``once_in_batch``: so too, but the handler does it with
    ``Once.submit``. ``seals``: with ``once``, the reply holds a secret and is stored encrypted.
    ``if_match``: it requires If-Match, which ``deps.IfMatch`` reads.
    ``headers``: others that it reads, as OpenAPI describes them. ``guess``: the secret that callers
    could guess; wrong values are counted. The
    refusals common to all routes are added.
    """
    assert guess is None or guess.wrong in refusals, "a wrong guess is a refusal of the route"
    assert once or not seals, "what is sealed is the reply that is stored with a key"
    every: list[type[Refusal]] = [Busy, Invalid, *([RateLimited] if rule.limited else [])]
    if rule.limited:
        every.append(TokenRefused)  # an invalid token is refused even on routes that need none
    if rule.authenticated:
        every.append(LoginRequired)
    if rule.roles:
        every.append(Forbidden)
    if body:
        every += [Malformed, TooLarge]
    if rule.authenticated and (body or once):
        every.append(ClockWrong)  # points may move
    parameters, by_header = _headers(rule, keyed=once or once_in_batch, if_match=if_match)
    every += by_header
    parameters += headers
    answers = tuple(sorted({*refusals, *every}, key=lambda r: (r.status, r.code)))
    declared = replace(
        rule,
        once=once,
        once_in_batch=once_in_batch,
        seals=seals,
        guess=guess,
        refusals=refusals,
        answers=answers,
    )
    bearer: dict[str, list[str]] = {BEARER: []}
    return {
        "dependencies": [Depends(declared)],
        "openapi_extra": {
            "x-access-rule": rule.name,
            "security": [bearer] if rule.authenticated else [],
            **({"parameters": parameters} if parameters else {}),
        },
        "responses": {
            status: _response(list(group))
            for status, group in groupby(answers, key=lambda one: one.status)
        },
    }


def _response(refusals: Sequence[type[Refusal]]) -> dict[str, Any]:
    """Describe the problem reply of one status: its codes, and the facts that each may have."""
    codes = [one.code for one in refusals]
    facts = {one.code: list(one.fact_names) for one in refusals if one.fact_names}
    of_codes = {"properties": {"code": {"type": "string", "enum": codes}}, "required": ["code"]}
    schema = {
        "allOf": [
            {"$ref": f"#/components/schemas/{Problem.__name__}"},
            {"type": "object", **of_codes},
        ]
    }
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {MEDIA_TYPE: {"schema": schema}},
        **({"x-facts": facts} if facts else {}),
    }


def _headers(
    rule: AccessRule, *, keyed: bool, if_match: bool
) -> tuple[list[dict[str, Any]], list[type[Refusal]]]:
    """Return the headers of a route besides its token, and the refusals that they may cause."""
    parameters: list[dict[str, Any]] = []
    refusals: list[type[Refusal]] = []
    if keyed:
        parameters.append(KEY_PARAMETER)
        refusals += KEY_REFUSALS
    if if_match:
        parameters.append(IF_MATCH_PARAMETER)
        refusals += [PreconditionMissing, PreconditionFailed]
    if rule.roles == MERCHANT_STAFF.roles:
        parameters.append(MERCHANT_PARAMETER)
        refusals.append(MerchantNotYours)
    return parameters, refusals


def _claims(request: Request, runtime: Runtime) -> Claims | None:
    """Verify the bearer token; None without one. Raises TokenRefused, also where none is needed."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or len(header) > MAX_AUTHORIZATION:
        raise TokenRefused
    try:
        return runtime.tokens.verify(token.strip(" "))
    except TokenInvalid:
        raise TokenRefused from None


# Without access rule: the sandbox does not exist in production.
EXEMPT = "/sandbox/wechat"


class AccessRuleUndeclared(Exception):
    """A route without an access rule: a programming error, found when the application starts."""


def access_rule_of(route: RouteContext) -> AccessRule | None:
    """Return the access rule of a route."""
    original = route.original_route
    guard = original.guard if isinstance(original, Route) else None
    return guard if isinstance(guard, AccessRule) else None


def routes_with_access_rules(app: FastAPI) -> Iterator[tuple[RouteContext, AccessRule | None]]:
    """Yield every route with its access rule, including routes of included routers."""
    for route in iter_route_contexts(app.routes):
        if route.path != EXEMPT:
            yield route, access_rule_of(route)


def require_access_rules(app: FastAPI) -> None:
    """Raise AccessRuleUndeclared with the names of all routes that have no access rule."""
    declared = list(routes_with_access_rules(app))
    assert declared, "an application without routes: this check would see nothing"
    bare = [f"{sorted(route.methods or ())} {route.path}" for route, p in declared if p is None]
    if bare:
        raise AccessRuleUndeclared("; ".join(bare))
