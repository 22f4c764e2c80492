"""A route has a plan only if everything that it asks of FastAPI is understood."""

from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Body, Cookie, Depends, Form, Header, Request
from fastapi import Response as Reply
from fastapi.dependencies.models import Dependant
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.routing import Mount

from app.api import direct
from app.api.access import ANYONE, allow
from app.api.deps import CurrentPerson, PageQuery, Reader
from app.api.direct import OF_DEPENDENCY, OF_HANDLER, OF_ROUTE, plans_of
from app.api.operations import direct as marked
from app.api.routes import Route, Router
from app.core.ids import PathId


class Note(BaseModel):
    text: str = ""


async def understood(
    one: PathId, request: Request, response: Reply, person: CurrentPerson, body: Note, n: int = 1
) -> Note:
    return body


def blocking() -> None: ...


async def sync_dependency(value: Annotated[None, Depends(blocking)]) -> None: ...


async def header(value: Annotated[str, Header()]) -> None: ...


async def cookie(value: Annotated[str, Cookie()]) -> None: ...


async def transaction(tx: Reader) -> None: ...


async def page(page: PageQuery) -> None: ...


async def two_bodies(note: Note, other: Note) -> None: ...


async def embedded(note: Annotated[Note, Body(embed=True)]) -> None: ...


async def form(note: Annotated[str, Form()]) -> None: ...


async def background(tasks: BackgroundTasks) -> None: ...


async def stream() -> Any:
    yield b""


async def twice(one: CurrentPerson, other: CurrentPerson) -> None: ...


async def nothing() -> None: ...


BEYOND: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (blocking, {}, "call"),
    (sync_dependency, {}, "call"),
    (header, {}, "header_params"),
    (cookie, {}, "cookie_params"),
    (transaction, {}, "call"),
    (page, {}, "query_params"),
    (two_bodies, {}, "body_params"),
    (embedded, {}, "_embed_body_fields"),
    (form, {}, "body_params"),
    (background, {}, "background_tasks_param_name"),
    (stream, {}, "call"),
    (twice, {}, "call"),
    (nothing, {"response_class": PlainTextResponse}, "response_class"),
    (nothing, {"response_model_exclude_none": True}, "response_model_exclude_none"),
    (nothing, {"response_model_by_alias": False}, "response_model_by_alias"),
    (nothing, {"max_body_size": 10}, "max_body_size"),
    (nothing, {"strict_content_type": False}, "strict_content_type"),
]


def made(handler: Callable[..., Any], path: str = "/notes/{one}", **options: Any) -> Router:
    """Return a router with one route, which is marked as direct."""
    router = Router(root="/test")
    method = options.pop("method", "POST")
    router.add_api_route(path, marked(handler), methods=[method], **options, **allow(ANYONE))
    return router


def reasons(monkeypatch: pytest.MonkeyPatch, *routes: Any) -> list[list[str]]:
    """Return why routes have no plan, as it is logged."""
    found: list[list[str]] = []

    class Log:
        def warning(self, event: str, *, route: str, reason: list[str]) -> None:
            assert event == "route_not_direct"
            found.append(reason)

    monkeypatch.setattr(direct, "log", Log())
    plans = [*plans_of(routes)]
    assert len(plans) + len(found) == len(routes)
    return found


def test_what_is_understood_has_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reasons(monkeypatch, *made(understood).routes) == []


@pytest.mark.parametrize(("handler", "options", "reason"), BEYOND)
def test_what_is_not_understood_has_none(
    monkeypatch: pytest.MonkeyPatch, handler: Any, options: dict[str, Any], reason: str
) -> None:
    (found,) = reasons(monkeypatch, *made(handler, **options).routes)
    assert reason in found


def test_an_attribute_of_a_later_fastapi_takes_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    (route,) = made(understood).routes
    monkeypatch.setattr(route, "later", 0, raising=False)
    assert reasons(monkeypatch, route) == []
    monkeypatch.setattr(route, "later", 1)
    assert reasons(monkeypatch, route) == [["later"]]


def test_every_name_that_is_understood_is_one_of_fastapi() -> None:
    """So a name that a later FastAPI changes is noticed."""
    (route,) = made(understood).routes
    assert isinstance(route, Route)
    assert {*OF_HANDLER, *OF_DEPENDENCY} <= {field.name for field in fields(Dependant)}
    assert vars(route).keys() | {"_start"} >= OF_ROUTE


@pytest.mark.parametrize(
    ("path", "method", "overlaps"),
    [
        ("/notes/mine", "POST", True),
        ("/notes/{other}", "POST", True),
        ("/{any}/{thing}", "POST", True),
        ("/notes/{rest:path}", "POST", True),
        ("/notes/mine", "GET", False),
        ("/notes", "POST", False),
        ("/notes/{one}/lines", "POST", False),
        ("/drafts/{one}", "POST", False),
    ],
)
def test_a_route_behind_another_that_may_match_has_no_plan(
    monkeypatch: pytest.MonkeyPatch, path: str, method: str, *, overlaps: bool
) -> None:
    async def other() -> None: ...

    earlier = Router(root="/test")
    earlier.add_api_route(path, other, methods=[method], **allow(ANYONE))
    (first,), (route,) = earlier.routes, made(understood).routes
    assert len([*plans_of([first, route])]) == (not overlaps)
    assert len([*plans_of([route, first])]) == 1


def test_a_route_behind_a_mount_has_no_plan() -> None:
    (route,) = made(understood).routes
    assert [*plans_of([Mount("/test", routes=[]), route])] == []
