"""Access rules: each route has one, and it is in the MATRIX of its noun's test module.

So the access rule of a new route must be decided explicitly.
"""

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app.api.access import (
    ANYONE,
    AccessRule,
    AccessRuleUndeclared,
    access_rule_of,
    allow,
    require_access_rules,
    routes_with_access_rules,
)
from app.api.guesses import CODE_GUESS, Guess
from app.api.routes import Route, Router
from app.core.ratelimit import Limit
from app.core.settings import Settings
from app.integrations.wechat.refusals import CodeInvalid
from app.main import create_app
from app.services.appointments import AppointmentCodeInvalid
from app.services.auth import TokenRefused
from app.services.checkin_codes import CheckinCodeInvalid
from app.services.linked_places import PlaceCodeInvalid
from app.services.people import PersonNotFound
from app.services.quest_visits import QuestVisitCodeInvalid
from app.services.redemptions.card_codes import CardCodeInvalid
from app.services.redemptions.reservations import RedemptionNotFound
from app.services.voucher_codes import VoucherCodeNotFound
from tests.factories import pages
from tests.security import nouns

RULES = {row.operation: row.rule for row in nouns.rows().values()}
# What callers could guess: by whom wrong guesses are counted, and under which limit.
GUESSES = {
    "logIn": (CodeInvalid, "login", "address_of"),
    "refreshLogin": (TokenRefused, "login", "address_of"),
    "checkIn": (CheckinCodeInvalid, "checkin_code", "person_of"),
    "checkOut": (CheckinCodeInvalid, "checkin_code", "person_of"),
    "collectRedemption": (RedemptionNotFound, "code", "person_of"),
    "charge": (CardCodeInvalid, "code", "person_of"),
    "addCoOrganizer": (PersonNotFound, "card", "person_of"),
    "recordAttendance": (CardCodeInvalid, "code", "person_of"),
    "giveRole": (PersonNotFound, "card", "person_of"),
    "listMembers": (PersonNotFound, "card", "person_of"),
    "exportMembersCsv": (PersonNotFound, "card", "person_of"),
    "exportMembersXlsx": (PersonNotFound, "card", "person_of"),
    "previewAppointment": (AppointmentCodeInvalid, "code", "person_of"),
    "acceptAppointment": (AppointmentCodeInvalid, "code", "person_of"),
    "previewCollection": (RedemptionNotFound, "code", "person_of"),
    "previewCharge": (CardCodeInvalid, "code", "person_of"),
    "proposeMerge": (CardCodeInvalid, "code", "person_of"),
    "visitCheckpoint": (QuestVisitCodeInvalid, "checkin_code", "person_of"),
    "visitLinkedPlace": (PlaceCodeInvalid, "checkin_code", "person_of"),
    "handOver": (CardCodeInvalid, "code", "person_of"),
    "useVoucher": (VoucherCodeNotFound, "code", "person_of"),
    "previewGoods": (RedemptionNotFound, "code", "person_of"),
    "handOverGoods": (RedemptionNotFound, "code", "person_of"),
    "walkIn": (CardCodeInvalid, "code", "person_of"),
    "proposeSubstitute": (CardCodeInvalid, "code", "person_of"),
    "previewCourtesyClaims": (CardCodeInvalid, "code", "person_of"),
    "useCourtesy": (CardCodeInvalid, "code", "person_of"),
    "useCourtesyAtVenue": (CardCodeInvalid, "code", "person_of"),
}
# The documentation: served, but not part of the OpenAPI document.
PAGES = {
    "GET /": "anyone",
    "GET /docs": "anyone",
    "GET /c/{code}": "anyone",
    "GET /docs/codes": "anyone",
    "GET /docs/start.js": "anyone",
    "GET /openapi.json": "anyone",
    "GET /swagger/swagger-ui-bundle.js": "anyone",
    "GET /swagger/swagger-ui.css": "anyone",
    "GET /swagger/favicon-32x32.png": "anyone",
}


def name_of(policy: AccessRule | None) -> str | None:
    return policy.name if policy else None


def served(app: FastAPI) -> dict[str, str | None]:
    """Return the rule of every route that FastAPI serves, included routers too; pages by path."""
    return {
        context.original_route.operation_id or f"{method} {context.path}": name_of(
            access_rule_of(context)
        )
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
        for method in context.methods or ()
    }


def test_the_table_is_what_is_served(app: FastAPI) -> None:
    assert served(app) == RULES | PAGES | pages.RULES


# Creating POSTs without an Idempotency-Key, and why a repeated one creates nothing more.
WITHOUT_A_KEY = {
    "signUp": "a person has one sign-up for an activity",
    "checkIn": "a person has one check-in at an activity",
    "checkOut": "a check-in has one check-out",
    "visitCheckpoint": "a person has one visit at a checkpoint",
    "visitLinkedPlace": "a person has one check-in at a place on a day",
    "makeHandoverCode": "a stored reply would keep the code; another code replaces it",
    "createActivity": "a second draft is seen before it is published; the contract names no key",
}


# Writes whose reply holds a secret that is stored nowhere in clear: the stored reply is encrypted.
SEALED = {"createWebhook", "rotateWebhookSecret", "offerAppointment", "makeStaffCode"}


def test_replies_with_secrets_are_stored_encrypted(app: FastAPI) -> None:
    found = {
        route.original_route.operation_id
        for route, rule in routes_with_access_rules(app)
        if isinstance(route.original_route, APIRoute) and rule and rule.seals
    }
    assert found == SEALED
    with pytest.raises(AssertionError, match="stored with a key"):
        allow(ANYONE, seals=True)


def creating_without_a_key(app: FastAPI) -> set[str]:
    return {
        route.original_route.operation_id or str(route.path)
        for route, rule in routes_with_access_rules(app)
        if isinstance(route.original_route, APIRoute)
        and route.original_route.status_code == 201
        and not (rule and (rule.once or rule.once_in_batch))
    }


def test_what_creates_takes_a_key(app: FastAPI) -> None:
    assert creating_without_a_key(app) == WITHOUT_A_KEY.keys()


def test_a_creating_route_without_a_key_would_be_found() -> None:
    router, grown = Router(), FastAPI()

    @router.post("/new", status_code=201, operation_id="makeNew", **allow(ANYONE))
    async def make_new() -> None: ...

    grown.include_router(router)
    assert creating_without_a_key(grown) == {"makeNew"}


def test_the_secrets_that_could_be_guessed(app: FastAPI) -> None:
    found = {
        route.original_route.operation_id: (guess.wrong, guess.limit.name, guess.client.__name__)
        for route, rule in routes_with_access_rules(app)
        if isinstance(route.original_route, APIRoute) and rule and (guess := rule.guess)
    }
    assert found == GUESSES


def test_a_guess_is_a_refusal_of_its_route_and_its_limit_fails_closed() -> None:
    with pytest.raises(AssertionError, match="refusal of the route"):
        allow(ANYONE, guess=Guess(CODE_GUESS, CardCodeInvalid))
    with pytest.raises(AssertionError, match="without Redis"):
        Guess(Limit("open", burst=1, per_second=1), CardCodeInvalid)


def test_another_rule_would_be_found() -> None:
    router, opened = Router(), FastAPI()

    @router.get("/me", operation_id="getMe", **allow(ANYONE))
    async def get_me() -> None: ...

    opened.include_router(router)
    assert served(opened)["getMe"] != RULES["getMe"]


def test_the_start_up_check_sees_every_served_route(app: FastAPI) -> None:
    seen = {
        getattr(route.original_route, "operation_id", None) or f"{method} {route.path}"
        for route, _ in routes_with_access_rules(app)
        for method in route.methods or ()
    }
    assert seen == set(served(app))


def test_the_document_tells_the_policy(app: FastAPI) -> None:
    told = {
        operation["operationId"]: operation["x-access-rule"]
        for operations in app.openapi()["paths"].values()
        for operation in operations.values()
    }
    assert told == RULES


def test_a_route_without_a_policy_keeps_the_application_from_starting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Router()

    @bare.get("/bare")
    async def bare_handler() -> None: ...

    monkeypatch.setattr("app.routers.orgs.router", bare)
    with pytest.raises(AccessRuleUndeclared, match="/bare"):
        create_app(settings)


def test_a_bare_route_on_the_application_itself_is_found() -> None:
    application = FastAPI()

    @application.get("/bare")
    async def bare_handler() -> None: ...

    with pytest.raises(AccessRuleUndeclared, match="/bare"):
        require_access_rules(application)


def test_a_route_with_a_policy_is_no_reason_to_refuse() -> None:
    application = FastAPI(openapi_url=None)
    router = Router()

    @router.get("/guarded", **allow(ANYONE))
    async def guarded() -> None: ...

    application.include_router(router)
    require_access_rules(application)


def test_the_policy_guards_the_route_before_every_dependency(app: FastAPI) -> None:
    """A transaction must not be opened for a caller without access."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            assert isinstance(route, Route), context.path
            assert isinstance(route.guard, AccessRule), context.path
