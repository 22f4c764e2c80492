"""A browser for tests: a client with a cookie jar that sends what browsers send."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
from fastapi import FastAPI

from app.runtime import Runtime
from app.services import web_logins
from tests.factories.http import in_process
from tests.factories.people import TestPerson

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Safari/537.36"
)
# The pages below ``app/web``, and their access rules.
RULES = {
    "GET /assets/{tag}/{name}": "anyone",
    "GET /login": "anyone",
    "POST /login/ticket": "anyone",
    "POST /login/sandbox": "anyone",
    "POST /logout": "person",
    "POST /logout/everywhere": "person",
    "GET /w/{ticket}": "anyone",
    "GET /activities": "anyone",
    "GET /activities/{activity_id}": "anyone",
    "GET /award-notices": "anyone",
    "GET /projector": "person",
    "GET /projector/{activity_id}": "person",
    "GET /projector/{activity_id}/code": "person",
    "GET /projector/{activity_id}/live": "person",
}
OWN = {"Sec-Fetch-Site": "same-origin"}  # of what a page of this site sends


@asynccontextmanager
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Open a browser without cookies that navigates."""
    async with in_process(app) as client:
        client.headers.update(
            {"Accept": "text/html", "Accept-Language": "zh-CN", "User-Agent": CHROME}
        )
        yield client


async def enter(client: httpx.AsyncClient, runtime: Runtime, person: TestPerson) -> str:
    """Log a browser in without the ticket; return its cookie."""
    async with runtime.database.transaction() as tx:
        token = await web_logins.begin(tx, person.id)
    client.cookies.set("qx", token, domain="test.local")
    return token


async def open_login(client: httpx.AsyncClient, **query: str) -> str:
    """Open the login page; return the ticket that its code shows."""
    shown = await client.get("/login", params=query)
    assert shown.status_code == 200, shown.text
    return client.cookies["qx-ticket"].partition(".")[0]


async def poll(client: httpx.AsyncClient, **query: str) -> httpx.Response:
    headers = OWN | {"Accept": "application/json"}
    return await client.post("/login/ticket", params=query, headers=headers)


def number_on(page: str) -> str:
    """Return the two digits of a login page."""
    found = re.search(r"<strong>(\d\d)</strong>", page)
    assert found is not None, page
    return found[1]


def a_user() -> str:
    return f"user-{uuid4()}"
