"""Access rules: who may call a route, how often, once or not, and what the route may refuse."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.routing import RouteContext, iter_route_contexts

from app.api.context import address_of, runtime_of
from app.api.idempotency import KEY_REFUSALS
from app.api.idempotency import once as run_once
from app.api.problems import MEDIA_TYPE, Problem
from app.api.routes import Guard, Handler, Route
from app.core.errors import Busy, Invalid, Malformed, RateLimited, Refusal, TooLarge
from app.core.ratelimit import Limit
from app.core.tokens import Claims, TokenInvalid
from app.models.people import Role
from app.runtime import Runtime
from app.services.auth import LoginRequired, TokenRefused
from app.services.people import Forbidden

# A venue's Wi-Fi is one address for everybody in the hall.
ANONYMOUS = Limit("anonymous", burst=600, per_second=50)
PERSON = Limit("person", burst=300, per_second=20)
# Only wrong guesses count against these, so that a hall may log in at once.
LOGIN_GUESS = Limit("login", burst=60, per_second=1, fail_closed=True)
CODE_GUESS = Limit("code", burst=20, per_second=0.2, fail_closed=True)
MAX_AUTHORIZATION = 8192
# Bare, or quoted as the IETF draft writes it; a quote that is opened is closed.
KEY_PATTERN = r'^("[!-~]{1,255}"|[!#-~]([!-~]{0,253}[!#-~])?)$'
KEY_PARAMETER = {
    "name": "idempotency-key",
    "in": "header",
    "required": True,
    "description": "Up to 255 visible characters, new for each new intent.",
    "schema": {"type": "string", "maxLength": 257, "pattern": KEY_PATTERN},
}
BEARER = "bearer"  # the name of the security scheme in OpenAPI


@dataclass(frozen=True)
class AccessRule(Guard):
    """Who may call a route.

    ``roles``: the caller must hold one of them somewhere; the service then narrows it to
    the place, in SQL. ``once``: the route takes an Idempotency-Key. ``refusals`` are those
    that the route declares beyond what every route can answer.
    """

    name: str
    authenticated: bool = True
    roles: tuple[Role, ...] = ()
    limited: bool = True
    once: bool = False
    refusals: tuple[type[Refusal], ...] = ()

    def around(self, handler: Handler) -> Handler:
        return run_once(handler) if self.once else handler

    async def __call__(self, request: Request) -> None:
        if not self.limited:
            return
        runtime = runtime_of(request)
        claims = _claims(request, runtime)
        if claims is None and self.authenticated:
            raise LoginRequired
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


PROBE = AccessRule("probe", authenticated=False, limited=False)
ANYONE = AccessRule("anyone", authenticated=False)
RESIDENT = AccessRule("person")
ORGANIZER = AccessRule("organizer", roles=(Role.organizer, Role.administrator))
READER = AccessRule("reader", roles=(Role.organizer, Role.administrator, Role.auditor))
AUDITOR = AccessRule("auditor", roles=(Role.auditor, Role.administrator))
ADMINISTRATOR = AccessRule("administrator", roles=(Role.administrator,))
MERCHANT_STAFF = AccessRule("merchant staff", roles=(Role.merchant_staff,))


def allow(
    rule: AccessRule,
    *refusals: type[Refusal],
    body: bool = False,
    once: bool = False,
    once_in_batch: bool = False,
) -> dict[str, Any]:
    """Declare a route's access rule and document what it may refuse, for its decorator.

    ``body``: the route reads a request body. ``once``: it needs an Idempotency-Key, and a
    repeat gets the first reply; ``once_in_batch``: its handler sees to that, by ``Once.submit``.
    What every route can answer is added.
    """
    every: list[type[Refusal]] = [Busy, Invalid, *([RateLimited] if rule.limited else [])]
    if rule.limited:
        every.append(TokenRefused)  # a wrong token is refused even where none is needed
    if rule.authenticated:
        every.append(LoginRequired)
    if rule.roles:
        every.append(Forbidden)
    if body:
        every += [Malformed, TooLarge]
    if once or once_in_batch:
        every += KEY_REFUSALS
    by_status: dict[int | str, dict[str, Any]] = {}
    for refusal in sorted({*refusals, *every}, key=lambda r: (r.status, r.code)):
        entry = by_status.setdefault(refusal.status, {"codes": [], "facts": {}})
        entry["codes"].append(f"`{refusal.code}`")
        if refusal.fact_names:
            entry["facts"][refusal.code] = list(refusal.fact_names)
    bearer: dict[str, list[str]] = {BEARER: []}
    security = [bearer] if rule.authenticated else [{}, bearer]
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        "dependencies": [Depends(replace(rule, once=once, refusals=refusals))],
        "openapi_extra": {
            "x-access-rule": rule.name,
            "security": security,
            **({"parameters": [KEY_PARAMETER]} if once or once_in_batch else {}),
        },
        "responses": {
            status: {
                "description": ", ".join(entry["codes"]),
                "content": {MEDIA_TYPE: {"schema": schema}},
                **({"x-facts": entry["facts"]} if entry["facts"] else {}),
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
        return runtime.tokens.verify(token.strip(" "))
    except TokenInvalid:
        raise TokenRefused from None


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


# It has no policy because production has no sandbox.
EXEMPT = "/sandbox/wechat"


class AccessRuleUndeclared(Exception):
    """A route without a policy: a mistake of ours, found at start."""


def access_rule_of(route: RouteContext) -> AccessRule | None:
    """Return the policy that guards a route."""
    original = route.original_route
    guard = original.guard if isinstance(original, Route) else None
    return guard if isinstance(guard, AccessRule) else None


def routes_with_access_rules(app: FastAPI) -> Iterator[tuple[RouteContext, AccessRule | None]]:
    """Yield every route with its policy, those of included routers too."""
    for route in iter_route_contexts(app.routes):
        if route.path != EXEMPT:
            yield route, access_rule_of(route)


def require_access_rules(app: FastAPI) -> None:
    """Raise AccessRuleUndeclared, naming every route that has none."""
    declared = list(routes_with_access_rules(app))
    assert declared, "an application without routes: this check would see nothing"
    bare = [f"{sorted(route.methods or ())} {route.path}" for route, p in declared if p is None]
    if bare:
        raise AccessRuleUndeclared("; ".join(bare))
