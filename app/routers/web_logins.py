"""Logging a web page in with the mini-program."""

from typing import Annotated

from fastapi import Path

from app.api.access import RESIDENT, allow
from app.api.deps import AppTickets, CurrentPerson
from app.api.operations import no_store
from app.api.routes import Router
from app.core.language import Bilingual
from app.schemas.base import Nothing
from app.schemas.web_logins import WebLoginOut
from app.services import web_logins
from app.services.web_logins import WebLoginOver

ABOUT = Bilingual(
    "网页登录：用小程序扫描网页上的二维码并确认",
    "Logins of web pages: the mini-program scans their code and confirms",
)
router = Router(prefix="/auth/web-logins", tags=["web_logins"], about=ABOUT)
TicketPath = Annotated[
    str,
    Path(
        pattern="^[A-Za-z0-9_-]{1,64}$",
        description="The ticket: what follows `/w/` in the code that the page shows.",
    ),
]


@router.get("/{ticket}", operation_id="getWebLogin", **allow(RESIDENT, WebLoginOver))
@no_store
async def get_web_login(ticket: TicketPath, tickets: AppTickets) -> WebLoginOut:
    """Return number and browser of the page, for the person to compare before confirming."""
    return await web_logins.look(tickets, ticket)


@router.post(
    "/{ticket}", operation_id="confirmWebLogin", **allow(RESIDENT, WebLoginOver, body=True)
)
@no_store
async def confirm_web_login(
    ticket: TicketPath,
    tickets: AppTickets,
    person_id: CurrentPerson,
    body: Nothing | None = None,  # noqa: ARG001 - validated
) -> WebLoginOut:
    """Log the page in as the caller. Repeated by the same person it changes nothing more.

    The page has two minutes from showing the code; another person's confirmation is refused.
    """
    return await web_logins.confirm(tickets, ticket, person_id)
