"""Exports beside a list: the same rows as XLSX and as CSV, declared in one line below the handler.

    @router.get("/awards", operation_id="listAwards", **allow(READER, OrgNotFound))
    async def list_awards(tx: Reader, person_id: CurrentPerson, page: PageQuery, …) -> Page[…]: …

    exports.beside(router, list_awards, Bilingual("积分记录", "Awards"))

offers ``GET /awards.xlsx`` (exportAwardsXlsx) and ``GET /awards.csv`` (exportAwardsCsv).
"""

import inspect
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import Response

from app.api.access import RESIDENT, AccessRule, allow
from app.api.context import person_of, runtime_of
from app.api.deps import PageQuery, Reader
from app.api.downloads import Csv, Download, Workbook
from app.api.routes import API, Route, Router
from app.core.clock import local_date, now
from app.core.db import Session
from app.core.language import Bilingual
from app.core.paging import Page, PageParams
from app.schemas.base import OneLine
from app.services import exports
from app.services.exports import AuditNote, CsvTable, Table, TooManyRows, XlsxTable

# The lists that have files, by their operation ids.
EXPORTED: set[str] = set()
ListHandler = Callable[..., Awaitable[Page[Any]]]
OrgOf = Callable[[Session, UUID], Awaitable[UUID]]
FORMS: tuple[tuple[type[Table], type[Download]], ...] = ((XlsxTable, Workbook), (CsvTable, Csv))
PurposeQuery = Annotated[
    str,
    OneLine(200),
    Query(description="What the file is for. It stands in the audit trail with the reader's name."),
]
REQUEST = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
PURPOSE = inspect.Parameter("purpose", inspect.Parameter.KEYWORD_ONLY, annotation=PurposeQuery)


def beside(
    router: Router,
    handler: Callable[..., Any],
    title: Bilingual,
    *,
    rows: ListHandler | None = None,
    org: OrgOf | None = None,
) -> None:
    """Offer a list of this router as ``.xlsx`` and ``.csv`` at its path.

    The files take the list's filters, without ``cursor`` and ``limit``, under its access rule;
    of a public list they need a login. Whoever exports states a ``purpose``, which the audit
    trail keeps; below ``/me`` it is the caller's own list, and nobody asks.
    ``title`` names file and sheet. ``rows`` is a list handler that is read instead of
    ``handler``, where that is no list. ``org`` finds the caller's organisation for the audit
    trail, where the list has no ``org_id``. Raises LookupError for a field without a heading.
    """
    route = next(one for one in router.routes if isinstance(one, Route) and one.endpoint is handler)
    assert isinstance(route.guard, AccessRule), "an export has the access rule of its list"
    assert route.operation_id is not None, "an export is named after its list"
    EXPORTED.add(route.operation_id)
    source = _Source(route.path, rows or handler, title, org)
    rule = route.guard if route.guard.authenticated else RESIDENT
    for form, reply in FORMS:
        router.add_api_route(
            route.path.removeprefix(router.prefix) + reply.suffix,
            source.endpoint(form, reply),
            methods=["GET"],
            operation_id=name_of(route.operation_id, form.name),
            response_class=reply,
            summary=f"{title.en} as {form.name.upper()}",
            description=f"Return all rows of `{route.operation_id}` as a file, cells as text.",
            **allow(rule, *route.guard.refusals, TooManyRows),
        )


def name_of(operation_id: str, form: str) -> str:
    """Return the operation id of a list's file: ``exportAwardsCsv`` for ``listAwards``, ``csv``."""
    return re.sub("^(list|get)", "export", operation_id) + form.capitalize()


class _Source:
    """A list as its exports read it."""

    def __init__(self, path: str, read: ListHandler, title: Bilingual, org: OrgOf | None) -> None:
        self._path, self._read, self._title, self._org = path, read, title, org
        signature = inspect.signature(read)
        self._tx, self._page = _named(signature, Reader), _named(signature, PageQuery)
        self._filters = [
            one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, one in signature.parameters.items()
            if name not in (self._tx, self._page)
        ]
        self._is_own = path.startswith(f"{API}/me/")
        knows_org = org is not None or "org_id" in signature.parameters
        assert self._is_own or knows_org, "the audit trail says of which organisation it was"
        self._columns = tuple(exports.columns_of(_item_of(signature)))

    def endpoint(self, form: type[Table], reply: type[Download]) -> Callable[..., Any]:
        """Return a handler that asks for what the list's handler asks for, and for a purpose."""

        async def endpoint(request: Request, purpose: str = "", **asked: Any) -> Response:
            file = await self._export(request, form, purpose, asked)
            day = local_date(now())
            last = self._path.rpartition("/")[2]
            return reply(file, f"{self._title.said()}_{day}", f"{last}_{day}")

        asks = [REQUEST, *([] if self._is_own else [PURPOSE]), *self._filters]
        endpoint.__signature__ = inspect.Signature(asks)  # type: ignore[attr-defined]
        endpoint.__module__ = self._read.__module__  # it belongs to the noun of its list
        return endpoint

    async def _export(
        self, request: Request, form: type[Table], purpose: str, asked: dict[str, Any]
    ) -> Any:
        runtime = runtime_of(request)
        async with runtime.statements:
            note = None if self._is_own else await self._note(request, purpose, asked)
            read = partial(self._page_of, asked)
            return await exports.export(
                runtime.database, self._title, self._columns, read, form, note
            )

    async def _page_of(self, asked: dict[str, Any], tx: Session, page: PageParams) -> Page[Any]:
        return await self._read(**asked, **{self._tx: tx, self._page: page})

    async def _note(self, request: Request, purpose: str, asked: dict[str, Any]) -> AuditNote:
        actor, org_id = person_of(request), asked.get("org_id")
        if self._org is not None:
            async with runtime_of(request).database.read() as tx:
                org_id = await self._org(tx, actor)
        named = request.query_params.keys() & {one.name for one in self._filters}
        listed = self._path.removeprefix(API)
        return AuditNote(actor, org_id, listed, sorted(named), purpose)


def _named(signature: inspect.Signature, annotation: Any) -> str:
    """Return the name of the parameter with an annotation."""
    found = [name for name, one in signature.parameters.items() if one.annotation == annotation]
    assert len(found) == 1, "a list handler asks for a Reader and a PageQuery"
    return found[0]


def _item_of(signature: inspect.Signature) -> type[Any]:
    """Return the model of the items that a list handler returns pages of."""
    page = signature.return_annotation
    item: type[Any] = page.__pydantic_generic_metadata__["args"][0]
    return item
