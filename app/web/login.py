"""Logging in by scanning, in development by a sandbox user too; logging out."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Form, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from app.api.access import ANYONE, RESIDENT
from app.api.context import runtime_of
from app.api.deps import AppTickets, CurrentPerson, EndedLogins, HostUrl, Tx
from app.api.routes import Router
from app.core.errors import UnknownRoute
from app.core.tickets import LASTS_S, TicketOver
from app.integrations.wechat_sandbox.state import State
from app.services import auth, web_logins
from app.services.auth import PersonSuspended
from app.services.web_logins import WebLoginOver
from app.web.access import (
    cookie_name,
    for_pages,
    forget_cookie,
    local,
    set_cookie,
)
from app.web.rendering import page

TICKET = "qx-ticket"  # the cookie that holds the ticket and its secret
# Of the demonstration data, for the sandbox login.
CAST = ("organizer", "admin", "auditor", "merchant", "alice")
router = Router(root="")


@router.get("/login", **for_pages(ANYONE))
async def show_login(
    request: Request, tickets: AppTickets, host_url: HostUrl, back: str | None = None
) -> Response:
    """Show the code of a new ticket. Its secret stays in a cookie of this browser."""
    agent = request.headers.get("user-agent", "")
    ticket, place = await tickets.issue(agent), local(back)
    response = page(
        "login.html",
        url=f"{host_url}/w/{ticket.name}",
        number=ticket.number,
        browser=web_logins.browser_of(agent),
        seconds=LASTS_S,
        back=place,
        again=f"/login?back={quote(place, safe='')}",
        cast=CAST if runtime_of(request).sandbox is not None else (),
    )
    set_cookie(request, response, f"{ticket.name}.{ticket.secret}", name=TICKET, seconds=LASTS_S)
    return response


@router.post("/login/ticket", **for_pages(ANYONE, WebLoginOver, PersonSuspended))
async def take_login(
    request: Request, tickets: AppTickets, tx: Tx, back: str | None = None
) -> Response:
    """Answer the page that polls: 204 until a phone has confirmed its ticket, then the cookie."""
    name, _, secret = request.cookies.get(cookie_name(request, TICKET), "").partition(".")
    try:
        person_id = await tickets.take(name, secret)
    except TicketOver:
        raise WebLoginOver from None
    if person_id is None:
        return Response(status_code=204)
    response = JSONResponse({"location": local(back)}, headers={"Cache-Control": "no-store"})
    set_cookie(request, response, await web_logins.begin(tx, person_id), seconds=None)
    forget_cookie(request, response, TICKET)
    return response


@router.post("/login/sandbox", **for_pages(ANYONE, PersonSuspended, UnknownRoute, body=True))
async def log_in_sandbox(
    request: Request,
    tx: Tx,
    user: Annotated[str, Form(min_length=1, max_length=64)],
    back: Annotated[str | None, Form(max_length=500)] = None,
) -> Response:
    """Log a user of the sandbox WeChat in. In production there is no sandbox, and this is 404."""
    runtime = runtime_of(request)
    if runtime.sandbox is None:
        raise UnknownRoute
    session = await runtime.wechat.code_to_session(await State(runtime.redis).make_code(user))
    person, _ = await auth.identify(tx, runtime.cipher, session)
    response = RedirectResponse(local(back), 303)
    set_cookie(request, response, await web_logins.begin(tx, person.id), seconds=None)
    return response


@router.post("/logout", **for_pages(RESIDENT))
async def log_out(request: Request, ended: EndedLogins, tx: Tx) -> Response:
    """End this login."""
    ended.append(await web_logins.end(tx, request.state.caller.family_id))
    return _logged_out(request)


@router.post("/logout/everywhere", **for_pages(RESIDENT))
async def log_out_everywhere(
    request: Request, ended: EndedLogins, tx: Tx, person_id: CurrentPerson
) -> Response:
    """End all logins of the person: those of other browsers, and of phones."""
    ended += await web_logins.end_all(tx, person_id)
    return _logged_out(request)


@router.get("/w/{ticket}", **for_pages(ANYONE))
async def show_ticket(ticket: str) -> Response:  # noqa: ARG001 - right and wrong ones look alike
    """Tell who scanned a login code with the phone's own scanner where to scan it."""
    return page("scan-in-wechat.html")


def _logged_out(request: Request) -> Response:
    response = RedirectResponse("/login", 303)
    forget_cookie(request, response)
    return response
