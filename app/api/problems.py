"""Renders refusals as RFC 9457 problems in the caller's language. No other module does this."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_jsonable_python
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from app.core.errors import Refusal, TooLarge
from app.core.language import Bilingual, Language, preferred
from app.models.activities import SignupFor
from app.models.consents import ConsentDocument
from app.models.people import Role
from app.schemas.audit import State

MEDIA_TYPE = "application/problem+json"
NO_STORE = "no-store"
ACCEPT_LANGUAGE = "Accept-Language"
TYPE_PREFIX = "urn:qingxiang:problem:"


class FieldProblem(BaseModel):
    """``field``: a path such as ``body.capacity`` or ``query.limit``.

    ``row``: the number of the row, if the request is a batch.
    """

    row: int | None = Field(
        default=None, description="Number of the row, if the request is a batch; else null."
    )
    field: str = Field(description="Path of the field, such as `body.capacity` or `query.limit`.")
    msg: str = Field(description="What is wrong, in the language of the request.")


class Facts(BaseModel):
    """Values of a refusal. `x-facts` lists the ones that a ``code`` may have."""

    model_config = ConfigDict(extra="allow")

    limit: int | None = Field(None, description="The most that is allowed.")
    measure: Literal["rows", "bytes", "pixels", "side_pixels", "scans", "characters"] | None = (
        Field(None, description="What `limit` counts.")
    )
    distance_m: int | None = Field(None, description="How far away it is, in metres.")
    window: int | None = Field(None, description="Seconds in which `limit` requests may be made.")
    retry_after: int | None = Field(None, description="Seconds after which to try again.")
    used: int | None = Field(None, description="How much of `limit` is used up.")
    left: int | None = Field(None, description="How much of `limit` is left.")
    period_start: datetime | None = Field(
        None, description="Since when `used` counts; null: since ever."
    )
    needed: int | str | None = Field(None, description="Points, or the key of a tier.")
    available: int | None = Field(None, description="Points that the caller can spend.")
    tier: str | None = Field(None, description="The key of the caller's tier.")
    stock_left: int | None = Field(None, description="Pieces that are left in this period.")
    tier_needed: str | None = Field(None, description="The key of the lowest tier that opens it.")
    category_needed: str | None = Field(None, description="The category of people that opens it.")
    group: str | None = Field(None, description="The courtesies of which one a year is chosen.")
    status: State | None = Field(None, description="The state that the thing has.")
    points_missing: int | None = Field(
        None, description="Points of twelve months that are missing for the tier."
    )
    minutes_missing: int | None = Field(
        None, description="Minutes of service of twelve months that are missing for the tier."
    )
    reviews_missing: int | None = Field(None, description="How many others have to approve it.")
    position: int | None = Field(None, description="The caller's place in the waiting list.")
    checked_in_at: datetime | None = Field(None, description="When the person checked in.")
    opens_at: datetime | None = Field(None, description="From when on it is possible.")
    until: datetime | None = Field(None, description="Until when it is not possible.")
    offer_until: datetime | None = Field(None, description="Until when the place was offered.")
    handed_over_at: datetime | None = Field(None, description="When the child was fetched.")
    signup_for: SignupFor | None = Field(None, description="What people sign up for.")
    activity_id: str | None = Field(None, description="The activity that is in the way.")
    activity: str | None = Field(None, description="Its title.")
    session: int | None = Field(None, description="Number of its session.")
    rule: str | None = Field(None, description="The condition that is not met.")
    wanted: str | None = Field(None, description="What that condition demands.")
    seen: str | None = Field(None, description="What is known of the person instead.")
    closes_at: datetime | None = Field(None, description="Until when it is, or was, possible.")
    starts_at: datetime | None = Field(None, description="When the activity, or the role, begins.")
    ends_at: datetime | None = Field(None, description="When the activity, or the role, is over.")
    expires_at: datetime | None = Field(
        None, description="When the reservation, or the code, ends, or ended."
    )
    claimed_at: datetime | None = Field(None, description="When the package was claimed.")
    ended_at: datetime | None = Field(None, description="When it was ended.")
    refunded_at: datetime | None = Field(None, description="When the charge was given back.")
    used_at: datetime | None = Field(None, description="When the key, or the code, was used first.")
    day: date | None = Field(None, description="The day in question, in Asia/Shanghai.")
    version: int | None = Field(None, description="The current version, for `If-Match`.")
    checkins: int | None = Field(None, description="How many people have checked in.")
    proposed: int | None = Field(None, description="Rows without a mistake.")
    refused: int | None = Field(None, description="Rows with a mistake.")
    inserted: int | None = Field(None, description="Rows that would be new.")
    updated: int | None = Field(None, description="Rows that would change.")
    role_id: str | None = Field(None, description="The role that is held already.")
    role: Role | None = Field(None, description="The role that is in the way.")
    org_id: str | None = Field(None, description="The organisation that decides, or is in the way.")
    org_name: str | None = Field(None, description="Its name.")
    parent_name: str | None = Field(None, description="The organisation that is to be above it.")
    orgs: int | None = Field(None, description="Open organisations below it.")
    activities: int | None = Field(None, description="Published activities that are not over.")
    merchants: int | None = Field(None, description="Merchants of it that are in business.")
    closed_at: datetime | None = Field(None, description="When the organisation was closed.")
    suspended_at: datetime | None = Field(None, description="When the account was suspended.")
    simulation_id: str | None = Field(None, description="The simulation that is under way.")
    verification_id: str | None = Field(None, description="The verification that is under way.")
    merge_id: str | None = Field(None, description="The merge that is proposed already.")
    reservations: int | None = Field(None, description="Reservations that stand.")
    awards: int | None = Field(None, description="Awards that wait for reviewers or their time.")
    cases: int | None = Field(None, description="Appeals and objections that are open.")
    deductions: int | None = Field(None, description="Deductions that may still be appealed.")
    closures: int | None = Field(None, description="Accounts that are about to be closed.")
    suspended: int | None = Field(None, description="Accounts that are suspended or merged.")
    document: ConsentDocument | None = Field(
        None, description="The text that somebody has to agree to."
    )
    text_version: str | None = Field(None, description="The version of that text in force.")
    missed_at: datetime | None = Field(None, description="The last redemption day that was missed.")
    since: datetime | date | None = Field(None, description="Since when it is so.")
    month: str | None = Field(None, description="The month in question, YYYY-MM.")
    number: int | None = Field(None, description="Number of the version of the list.")
    step: int | None = Field(None, description="Prices are multiples of it, in points.")
    kind: str | None = Field(None, description="The kind that the reward has.")
    ahead: int | None = Field(None, description="How many people wait before the caller.")
    of: str | None = Field(None, description="Whose cap it is: a key of `[charges]`.")
    owed: int | None = Field(None, description="Points that the caller owes.")
    unit: str | None = Field(None, description="The unit of points in question.")
    due_cents: int | None = Field(None, description="What is due, in cents of the yuan.")
    liability: int | None = Field(None, description="What points outstanding are worth, in cents.")
    fund: int | None = Field(None, description="What the fund is worth, in cents.")
    # What of a redemption day does not balance: differences, 0 where all is well.
    open: int | None = Field(None, description="Pieces that wait to be collected.")
    stock: int | None = Field(None, description="Pieces by which the kept stock is wrong.")
    counted: int | None = Field(None, description="Pieces by which the counted ones differ.")
    places: int | None = Field(None, description="Places of slots by which people differ.")
    points: int | None = Field(
        None, description="The price; of a redemption day: points by which the ledger differs."
    )
    shelf: str | None = Field(None, description="The first shelf that is wrong.")


class Problem(BaseModel):
    """A refusal. ``code`` is stable; ``msg`` is for people.

    ``facts`` holds its values in a form for clients: times, amounts, states.
    """

    type: str = Field(description="A URN that ends with `code`.")
    title: str = Field(description="What the kind of refusal is called, in English.")
    status: int = Field(description="The HTTP status of the reply.")
    detail: str = Field(description="The sentence of `msg`.")
    code: str = Field(description="Stable code of the refusal, such as `signups.closed`.")
    msg: str = Field(description="The sentence for people, in the language of the request.")
    request_id: str = Field(
        description="The `X-Request-Id` of the reply: names the request in our log."
    )
    errors: list[FieldProblem] | None = Field(
        default=None,
        description="What is wrong with which field; null: nothing of the request's form.",
    )
    facts: Facts | None = Field(
        default=None, description="Values of the refusal; null: it has none."
    )


def language_of(request: Request) -> Language:
    return preferred(request.headers.get("accept-language", ""))


def problem(request: Request, refusal: Refusal) -> JSONResponse:
    """Render a refusal with its headers."""
    language = language_of(request)
    message = refusal.message(language)
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + refusal.code,
        "title": refusal.title,
        "status": refusal.status,
        "detail": message,
        "code": refusal.code,
        "msg": message,
        "request_id": getattr(request.state, "request_id", ""),
    }
    if refusal.fields is not None:
        body["errors"] = [_worded(one, language) for one in refusal.fields]
    facts = dict(refusal.facts)
    if refusal.retry_after is not None:  # mini-programs do not normalize the case of header names
        facts["retry_after"] = refusal.retry_after
    if facts:
        body["facts"] = to_jsonable_python(facts)
    # A refusal is for one request: a 404 without this header may be kept by caches.
    headers = {"Cache-Control": NO_STORE, "Content-Language": language, "Vary": ACCEPT_LANGUAGE}
    headers |= getattr(request.state, "headers", {})
    headers |= refusal.headers
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, refusal.status, headers, media_type=MEDIA_TYPE)


def too_large(scope: Scope) -> TooLarge:
    """Return the refusal of a too large body, with the size limit if it is known."""
    limit = scope.get(MAX_BODY_SIZE_SCOPE_KEY)
    return TooLarge() if limit is None else TooLarge(limit=limit, measure="bytes")


def _worded(field: Mapping[str, Any], language: Language) -> dict[str, Any]:
    return {
        name: value.said(language) if isinstance(value, Bilingual) else value
        for name, value in field.items()
    }
