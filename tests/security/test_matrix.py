"""Every operation × everybody: who gets what when they reach for something of Alice's.

A cell is the status of the answer. ``+`` means that the answer shows, or the call changes,
something that is Alice's own; without it neither may happen. 401 is `auth.login_required`
and 403 `auth.forbidden`; the codes of other refusals stand at the end of the line.
"""

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.api.access import ANYONE, allow
from app.api.routes import Router
from app.runtime import Runtime
from tests.factories.http import assert_refused, keyed
from tests.security.asks import MAKERS, Ask
from tests.security.world import EVERYBODY, World, make_world, marks

# ruff: noqa: E501 - a table
# operation             nobody alice bob  counter rival sibling parent auditor admin outsider
TABLE = """
isAlive                 200    200   200  200     200   200     200    200     200   200
isReady                 200    200   200  200     200   200     200    200     200   200
getMetrics              200    200   200  200     200   200     200    200     200   200
logIn                   200    200   200  200     200   200     200    200     200   200
refreshLogin            200+   200+  200+ 200+    200+  200+    200+   200+    200+  200+
logOut                  401    204   204  204     204   204     204    204     204   204
getMe                   401    200+  200  200     200   200     200    200     200   200
updateMe                401    200+  200  200     200   200     200    200     200   200
listOrgs                200    200   200  200     200   200     200    200     200   200
listActivities          200    200   200  200     200   200     200    200     200   200
listActivities draft    403    403   403  403     403   403     200+   200+    200+  403
createActivity          401    403   403  403     403   403     201+   403     201+  403
getActivity             200    200   200  200     200   200     200    200     200   200
getActivity draft       404    404   404  404     404   404     200+   200+    200+  404  404=activities.not_found
publishActivity         401    403   403  403     403   404     200+   403     200+  404  404=activities.not_found
getCheckinCode          401    403   403  403     403   404     200    403     200   404  404=activities.not_found
getCheckinCodeSvg       401    403   403  403     403   404     200    403     200   404  404=activities.not_found
signUp                  401    201+  201  201     201   201     201    201     201   201
cancelSignup            401    204   404  404     404   404     404    404     404   404  404=signups.not_found
listMySignups           401    200+  200  200     200   200     200    200     200   200
checkIn                 401    201+  403  403     403   403     403    403     403   403  403=checkins.not_signed_up
getMyPoints             401    200   200  200     200   200     200    200     200   200
listMyPointEntries      401    200+  200  200     200   200     200    200     200   200
proveMyPointEntry       401    409   409  409     409   409     409    409     409   409  409=ledger.not_sealed_yet
getMyStatementHtml      401    200+  200  200     200   200     200    200     200   200
getMyStatementXlsx      401    200   200  200     200   200     200    200     200   200
listSeals               200    200   200  200     200   200     200    200     200   200
reverseTransfer         401    403   403  403     403   403     403    403     201+  404  404=ledger.transfer_not_found
proposeAwards           401    403   403  403     403   403     201+   403     201+  403
proposeAwardBatch       401    403   403  403     403   403     201+   403     201+  403
proposeAwardSheet       401    403   403  403     403   403     201+   403     201+  403
getAwardSheetTemplate   401    403   403  403     403   403     200    403     200   403
listMyAwards            401    200+  200  200     200   200     200    200     200   200
exportMyAwardsXlsx      401    200   200  200     200   200     200    200     200   200
exportMyAwardsCsv       401    200+  200  200     200   200     200    200     200   200
listAwards              401    403   403  403     403   403     200+   200+    200+  403
exportAwardsXlsx        401    403   403  403     403   403     200    200     200   403
exportAwardsCsv         401    403   403  403     403   403     200+   200+    200+  403
approveAward            401    403   403  403     403   404     200+   403     200+  404  404=awards.not_found
rejectAward             401    403   403  403     403   404     200+   403     200+  404  404=awards.not_found
listAwardNotices        200+   200+  200+ 200+    200+  200+    200+   200+    200+  200+
objectToAward           401    201+  201+ 201+    201+  201+    201+   201+    201+  201+
decideObjection         401    403   403  403     403   404     200+   403     200+  404  404=awards.objection_not_found
getFund                 200    200   200  200     200   200     200    200     200   200
listFundReceipts        200    200   200  200     200   200     200    200     200   200
exportFundReceiptsXlsx  401    200   200  200     200   200     200    200     200   200
exportFundReceiptsCsv   401    200   200  200     200   200     200    200     200   200
receiveIntoFund         401    403   403  403     403   403     403    403     201   403
deductPoints            401    403   403  403     403   403     201+   403     201+  403
listDeductions          401    403   403  403     403   403     200+   200+    200+  403
exportDeductionsXlsx    401    403   403  403     403   403     200    200     200   403
exportDeductionsCsv     401    403   403  403     403   403     200+   200+    200+  403
listMyDeductions        401    200+  200  200     200   200     200    200     200   200
appealDeduction         401    200+  404  404     404   404     404    404     404   404  404=deductions.not_found
decideAppeal            401    403   403  403     403   404     200+   403     200+  404  404=deductions.not_found
listAuditEntries        401    403   403  403     403   403     403    200+    200+  403
exportAuditEntriesXlsx  401    403   403  403     403   403     403    200     200   403
exportAuditEntriesCsv   401    403   403  403     403   403     403    200+    200+  403
getMyCard               401    200+  200  200     200   200     200    200     200   200
getMyCardCode           401    200+  200  200     200   200     200    200     200   200
listRewards             200    200   200  200     200   200     200    200     200   200
redeem                  401    201+  201  201     201   201     201    201     201   201
cancelRedemption        401    200+  404  404     404   404     404    404     404   404  404=redemptions.not_found
listMyRedemptions       401    200+  200  200     200   200     200    200     200   200
collectRedemption       401    403   403  200+    404   403     403    403     403   404  404=redemptions.not_found
charge                  401    403   403  201+    201+  403     403    403     403   201+
refundCharge            401    403   403  200+    404   403     403    403     403   404  404=charges.not_found
getStatement            401    403   403  200+    200   403     403    403     403   200
exportStatementXlsx     401    403   403  200     200   403     403    403     403   200
exportStatementCsv      401    403   403  200+    200   403     403    403     403   200
getLeaderboard          200    200   200  200     200   200     200    200     200   200
listMyNotices           401    200+  200  200     200   200     200    200     200   200
"""
DEFAULT_CODES = {401: "auth.login_required", 403: "auth.forbidden"}
# The documentation, and the sandbox, which production does not have: nothing of anybody's.
WITHOUT_A_LINE = {
    "GET /",
    "GET /docs",
    "GET /openapi.json",
    "GET /swagger/favicon-32x32.png",
    "GET /swagger/swagger-ui-bundle.js",
    "GET /swagger/swagger-ui.css",
    "ANY /sandbox/wechat",
}


def rows() -> dict[str, tuple[dict[str, str], dict[int, str]]]:
    """Read the table: for each line its cells by column, and its codes by status."""
    found = {}
    for line in TABLE.strip().splitlines():
        name, words = line[:24].strip(), line[24:].split()
        cells = dict(zip(EVERYBODY, words[: len(EVERYBODY)], strict=True))
        codes = dict(word.split("=") for word in words[len(EVERYBODY) :])
        found[name] = (cells, DEFAULT_CODES | {int(s): code for s, code in codes.items()})
    return found


ROWS = rows()


def served(app: FastAPI) -> dict[str, tuple[str, str]]:
    """Return method and path of all that is served, of what the document hides too."""
    found = {}
    for context in iter_route_contexts(app.routes):
        for method in context.methods or {"ANY"}:  # a mounted application names none
            name = getattr(context, "operation_id", None) or f"{method} {context.path}"
            found[name] = (method, str(context.path))
    return found


def unexpected(app: FastAPI) -> set[str]:
    """Return what is served without a line, and lines of what is not served."""
    return served(app).keys() ^ ({name.split()[0] for name in ROWS} | WITHOUT_A_LINE)


@pytest_asyncio.fixture
async def world(api: httpx.AsyncClient, runtime: Runtime) -> World:
    return await make_world(api, runtime)


def test_every_operation_has_a_line(app: FastAPI) -> None:
    assert unexpected(app) == set()
    assert MAKERS.keys() <= ROWS.keys()


def test_a_new_route_without_a_line_would_be_found() -> None:
    router = Router()

    @router.get("/new", operation_id="readSomethingNew", **allow(ANYONE))
    async def read_something_new() -> None: ...

    @router.get("/hidden", include_in_schema=False, **allow(ANYONE))
    async def read_something_hidden() -> None: ...

    grown = FastAPI()
    grown.include_router(router)
    grown.mount("/mounted", FastAPI())

    assert {"readSomethingNew", "GET /api/v1/hidden", "ANY /mounted"} <= unexpected(grown)


def test_what_an_operation_asks_for_is_in_its_path(app: FastAPI) -> None:
    """An operation on a thing that asked for nothing would be tried with nobody's things."""
    for name, (_, path) in served(app).items():
        assert ("{" not in path) or name in MAKERS, name


@pytest.mark.parametrize("name", ROWS)
async def test_row(app: FastAPI, world: World, name: str) -> None:
    cells, codes = ROWS[name]
    method, path = served(app)[name.split(maxsplit=1)[0]]
    ask: Ask | None = None
    found = {}
    for who in EVERYBODY:
        ask = ask or await _made(world, name)
        response, shown = await _attempt(world, who, method, path, ask)
        found[who] = f"{response.status_code}{shown}"
        if response.status_code < 400:
            ask = None  # it may have been used up
        elif found[who] == cells[who]:
            assert_refused(response, response.status_code, codes[response.status_code])

    assert found == cells


async def _made(world: World, name: str) -> Ask:
    return await MAKERS[name](world) if name in MAKERS else Ask()


async def _attempt(
    world: World, who: str, method: str, path: str, ask: Ask
) -> tuple[httpx.Response, str]:
    """Send the request as one of them; return the answer and ``+`` if it reached Alice."""
    caller = world.everybody[who]
    before = await world.things()
    response = await world.api.request(
        method,
        path.format(**ask.ids),
        headers=keyed(caller) if caller else {"Idempotency-Key": "nobodys-key"},
        json=ask.body,
        files=ask.files,
        params=ask.query,
    )
    after = await world.things()
    sees = any(mark in response.text for mark in marks(before) | marks(after))
    changes = after != before and caller is not world.alice
    return response, "+" if sees or changes else ""
