"""Export routes of a list: the same rows as XLSX and as CSV, declared below the list's handler.

    @router.get("/awards", operation_id="listAwards", **allow(READER, OrgNotFound))
    async def list_awards(tx: Reader, person_id: CurrentPerson, page: PageQuery, …) -> Page[…]: …

    exports.beside(router, list_awards, Bilingual("积分记录", "Awards"))

adds ``GET /awards.xlsx`` (exportAwardsXlsx) and ``GET /awards.csv`` (exportAwardsCsv).
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import Response

from app.api.access import RESIDENT, AccessRule, allow
from app.api.context import person_of, reads_primary, runtime_of
from app.api.deps import PageQuery, Reader, StaleReader
from app.api.downloads import Csv, Download, Workbook
from app.api.middleware import IS_HEAD
from app.api.routes import API, Route, Router
from app.core.clock import local_date, now
from app.core.db import Session
from app.core.language import Bilingual
from app.core.paging import Page, PageParams
from app.core.ratelimit import Limit
from app.schemas.base import OneLine
from app.schemas.exports import Column, columns_of, require_distinct
from app.services import exports
from app.services.exports import AuditNote, CsvTable, Table, TooManyRows, XlsxTable

# Operation ids of the lists that have export routes.
EXPORTED: set[str] = set()
ListHandler = Callable[..., Awaitable[Page[Any]]]
OrgOf = Callable[[Session, dict[str, Any]], Awaitable[UUID | None]]
ColumnsOf = Callable[[Session, dict[str, Any]], Awaitable[Sequence[Column]]]
FORMS: tuple[tuple[type[Table], type[Download]], ...] = ((XlsxTable, Workbook), (CsvTable, Csv))
# Each export of others' data is an entry in the audit trail: thirty at once, then one in 2 minutes.
EXPORTS = Limit("export", burst=30, per_second=1 / 120)
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
    spread: tuple[str, ColumnsOf] | None = None,
) -> None:
    """Add ``.xlsx`` and ``.csv`` export routes for a list of this router.

    They take the list's filters, without ``cursor`` and ``limit``, and have its access rule; an
    export of a public list requires a login. The query parameter ``purpose`` is required and
    written to the audit trail, except below ``/me``, where the list is the caller's own. What the
    list counts as a guess counts here too. Exports
    of others' data have the rate limit ``EXPORTS`` and count as one for HEAD too, which returns
    no rows and writes no entry; what is refused before, for a purpose or a right, does not count.
    ``title`` names file and sheet. ``rows`` is the list handler that is read in place of
    ``handler``, if that does not return a page. ``org`` returns the organisation for the audit
    trail, of the arguments of the list, if it has no ``org_id``. ``spread``: a field of the items
    that holds values by key, and what returns its columns, of the arguments of the list. Raises
    LookupError for a field without a heading, or with that of another one.
    """
    route = next(one for one in router.routes if isinstance(one, Route) and one.endpoint is handler)
    assert isinstance(route.guard, AccessRule), "an export has the access rule of its list"
    assert route.operation_id is not None, "an export is named after its list"
    source = _Source(route.path, rows or handler, title, org, spread)
    EXPORTED.add(route.operation_id)
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
            **allow(rule, *route.guard.refusals, TooManyRows, guess=route.guard.guess),
        )


async def of_service(_tx: Session, _asked: dict[str, Any]) -> None:
    """Return the organisation of a list of the whole service: none."""


def name_of(operation_id: str, form: str) -> str:
    """Return the operation id of an export: ``exportAwardsCsv`` for ``listAwards``, ``csv``."""
    return re.sub("^(list|get)", "export", operation_id) + form.capitalize()


class _Source:
    """The list handler, parameters and columns that the export routes of a list share."""

    def __init__(
        self,
        path: str,
        read: ListHandler,
        title: Bilingual,
        org: OrgOf | None,
        spread: tuple[str, ColumnsOf] | None,
    ) -> None:
        self._path, self._read, self._title = path, read, title
        self._org, self._spread = org, spread
        signature = inspect.signature(read)
        self._tx = _named(signature, Reader, StaleReader)
        self._page = _named(signature, PageQuery)
        self._filters = [
            one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, one in signature.parameters.items()
            if name not in (self._tx, self._page)
        ]
        self.is_own = path.startswith(f"{API}/me/")
        knows_org = org is not None or "org_id" in signature.parameters
        assert self.is_own or knows_org, "the audit trail says of which organisation it was"
        self._columns = tuple(columns_of(_item_of(signature)))
        require_distinct(self._columns)

    def endpoint(self, form: type[Table], reply: type[Download]) -> Callable[..., Any]:
        """Return a handler with the parameters of the list's handler, and ``purpose``."""

        async def endpoint(request: Request, purpose: str = "", **asked: Any) -> Response:
            file = await self._export(request, form, purpose, asked)
            day = local_date(now())
            last = self._path.rpartition("/")[2]
            return reply(file, f"{self._title.said()}_{day}", f"{last}_{day}")

        asks = [REQUEST, *([] if self.is_own else [PURPOSE]), *self._filters]
        endpoint.__signature__ = inspect.Signature(asks)  # type: ignore[attr-defined]
        endpoint.__module__ = self._read.__module__  # the handler belongs to the module of its list
        return endpoint

    async def _export(
        self, request: Request, form: type[Table], purpose: str, asked: dict[str, Any]
    ) -> Any:
        runtime = runtime_of(request)
        async with runtime.statements:
            unnoted = self.is_own or IS_HEAD in request.scope
            note = None if unnoted else await self._note(request, purpose, asked)
            read = partial(self._read_page, asked)
            columns = await self._columns_for(request, asked)
            export = partial(
                exports.export, runtime.database, self._title, columns, read, form, note
            )
            admit = None if self.is_own else _admission(request)
            from_primary = self.is_own or await reads_primary(request)
            return await runtime.replicas.run(
                partial(export, admit=admit), from_primary=from_primary
            )

    async def _columns_for(self, request: Request, asked: dict[str, Any]) -> Sequence[Column]:
        """Return the columns, those of the spread field in its place."""
        if self._spread is None:
            return self._columns
        field, columns_of_keys = self._spread
        async with runtime_of(request).database.read() as tx:
            spread = await columns_of_keys(tx, asked)
        return [
            column
            for one in self._columns
            for column in (spread if one.path == (field,) else [one])
        ]

    async def _read_page(self, asked: dict[str, Any], tx: Session, page: PageParams) -> Page[Any]:
        return await self._read(**asked, **{self._tx: tx, self._page: page})

    async def _note(self, request: Request, purpose: str, asked: dict[str, Any]) -> AuditNote:
        actor, org_id = person_of(request), asked.get("org_id")
        if self._org is not None:
            async with runtime_of(request).database.read() as tx:
                org_id = await self._org(tx, asked)
        named = request.query_params.keys() & {one.name for one in self._filters}
        listed = self._path.removeprefix(API).format(**asked)  # which account, which activity
        return AuditNote(actor, org_id, listed, sorted(named), purpose)


def _admission(request: Request) -> Callable[[], Awaitable[None]]:
    """Return what counts an export against ``EXPORTS``, once, though a replica fails meanwhile."""
    is_counted = False

    async def admit() -> None:
        nonlocal is_counted
        if is_counted:
            return
        verdict = await runtime_of(request).limiter.take(EXPORTS, str(person_of(request)))
        is_counted = True
        request.state.headers = verdict.headers()
        verdict.enforce()

    return admit


def _named(signature: inspect.Signature, *annotations: Any) -> str:
    """Return the name of the parameter with one of these annotations."""
    found = [name for name, one in signature.parameters.items() if one.annotation in annotations]
    assert len(found) == 1, "a list handler asks for a Reader and a PageQuery"
    return found[0]


def _item_of(signature: inspect.Signature) -> type[Any]:
    """Return the item model of the page that a list handler returns."""
    page = signature.return_annotation
    item: type[Any] = page.__pydantic_generic_metadata__["args"][0]
    return item
