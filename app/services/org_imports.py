"""Imports of divisions (行政区划) below an organisation, from CSV or XLSX, after a preview.

A preview changes nothing and returns the changes with a digest of them. The import takes the same
file with that digest, and is refused if it would change anything else by now.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import Bilingual
from app.core.normalize import composed, is_one_line, is_visible
from app.core.xlsx import reader
from app.core.xlsx.guard import SheetUnreadable, require_at_most
from app.models.orgs import Level, Org
from app.queries import divisions as queries
from app.queries import org_changes as tree_queries
from app.queries import orgs as org_queries
from app.queries import outbox
from app.queries.divisions import Division
from app.schemas import org_imports as shapes
from app.schemas.org_imports import OrgDifferenceOut, OrgFieldsOut, OrgImportOut
from app.services import audit, orgs, records
from app.services.org_changes import ADMINISTRATORS, DEPTH

COLUMNS = ("code", "name", "parent_code", "level")
MAX_ROWS, MAX_NAME, MAX_CODE, MAX_TOLD = 2_000, 100, 20, 50
XLSX_MAGIC, IMPORTED = b"PK", "imported"
# Excel of a Chinese Windows saves CSV so; every UTF-8 file with Chinese names is tried first.
ENCODINGS = ("utf-8-sig", "gb18030")


class WrongColumns(Refusal):
    """``fields``: the columns that are missing."""

    code, status, title = "org_imports.wrong_columns", 422, "Wrong columns"
    zh, en = "表头应为 code、name、parent_code、level", "The headings are not those of divisions."


class RowsWrong(Refusal):
    """``fields``: the mistakes, with their rows; at most ``MAX_TOLD``."""

    code, status, title = "org_imports.rows_wrong", 422, "Rows wrong"
    zh, en = "部分行有误，未作任何更改", "Some rows are wrong; nothing was changed."
    fact_names = ("proposed", "refused")


class OtherChanges(Refusal):
    """The tree, or the file, is not that of the preview any more."""

    code, status, title = "org_imports.other_changes", 409, "Other changes"
    zh, en = "与预览不一致，请重新预览", "The changes are not those of the preview; look again."
    fact_names = ("inserted", "updated")


@dataclass(frozen=True, slots=True)
class Line:
    row: int
    code: str
    name: str
    parent_code: str
    level: str


Mistake = tuple[int, str, str, str]  # row, column, and what is wrong in Chinese and English


def read(content: bytes) -> list[Line]:
    """Read a file. Takes up to a second of a core: call it in a thread.

    Raises SheetUnreadable, SheetTooLarge, SheetNotPlain, WrongColumns.
    """
    require_at_most(reader.MAX_FILE_BYTES, len(content), "bytes")
    if content.startswith(XLSX_MAGIC):
        sheet = reader.read(content, MAX_ROWS)
        _require_columns(sheet.headings)
        cells = ((one.number, {k: str(v) for k, v in one.cells.items()}) for one in sheet.rows)
    else:
        rows = csv.DictReader(StringIO(_decoded(content), newline=""))
        _require_columns(rows.fieldnames or [])
        cells = ((row, dict(one)) for row, one in enumerate(rows, start=2))
    lines = [
        Line(row, *(composed(one.get(column) or "").strip() for column in COLUMNS))
        for row, one in cells
    ]
    require_at_most(MAX_ROWS, len(lines), "rows")
    return lines


def _decoded(content: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SheetUnreadable


def _require_columns(found: Iterable[str]) -> None:
    if missing := [name for name in COLUMNS if name not in set(found)]:
        msg = Bilingual("缺少这一列", "missing")
        raise WrongColumns(fields=[{"field": name, "msg": msg} for name in missing])


async def preview(tx: Session, caller: UUID, org_id: UUID, lines: Sequence[Line]) -> OrgImportOut:
    """Return what a file would change. Raises OrgNotFound, Forbidden, RowsWrong."""
    org = await records.authorized(tx, caller, ADMINISTRATORS, org_id)
    return (await _difference(tx, org, lines))[0]


async def apply(
    tx: Session, caller: UUID, org_id: UUID, lines: Sequence[Line], digest: str
) -> shapes.OrgImportDoneOut:
    """Make the changes of a preview; the entry of the audit trail is its job.

    Raises OrgNotFound, Forbidden, OrgClosed, RowsWrong, OtherChanges.
    """
    found = await records.authorized(tx, caller, ADMINISTRATORS, org_id)
    await tree_queries.lock_roots(tx, [found.path])
    [org] = await org_queries.lock(tx, [org_id])
    await records.authorized(tx, caller, ADMINISTRATORS, org_id)
    if org.closed_at is not None:
        raise orgs.OrgClosed(closed_at=org.closed_at)
    difference, divisions = await _difference(tx, org, lines)
    if difference.digest != digest:
        raise OtherChanges(inserted=difference.inserted, updated=difference.updated)
    if divisions:
        await queries.upsert(tx, divisions)
    facts = {"inserted": difference.inserted, "updated": difference.updated}
    job = await audit.write_about(tx, caller, IMPORTED, ("org", org.id), org.id, facts=facts)
    if difference.updated:  # leaderboards count points at the present place of an organisation
        await outbox.put(tx, "leaderboards.rebuild", {"divisions": difference.updated})
    return shapes.OrgImportDoneOut(id=job, **dict(difference))


async def _difference(
    tx: Session, org: Org, lines: Sequence[Line]
) -> tuple[OrgImportOut, list[Division]]:
    """Return the changes, and the rows to be written. Raises RowsWrong."""
    codes = {code for one in lines for code in (one.code, one.parent_code) if code}
    known = {one.code: one for one in await org_queries.by_codes(tx, sorted(codes))}
    children = await org_queries.children_of(tx, [one.id for one in known.values()])
    tree = _Tree(org, known, children)
    mistakes = [*_malformed(lines)] or [*tree.mistakes({one.code: one for one in lines})]
    if mistakes:
        msgs = [
            {"row": row, "field": field, "msg": Bilingual(zh, en)}
            for row, field, zh, en in mistakes[:MAX_TOLD]
        ]
        refused = len({row for row, *_ in mistakes})
        raise RowsWrong(fields=msgs, proposed=len(lines) - refused, refused=refused)
    changes = [one for one in map(tree.change, lines) if one.before != one.after]
    shown = [one.model_dump(mode="json", exclude={"row"}) for one in changes]
    paths = tree.paths({one.code: one for one in lines})
    divisions = [
        Division(
            one.code,
            one.after.name,
            one.after.level,
            one.after.parent_code,
            paths.get(one.code, org.path),
        )
        for one in changes
    ]
    inserted = sum(one.before is None for one in changes)
    difference = OrgImportOut(
        digest=sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest(),
        inserted=inserted,
        updated=len(changes) - inserted,
        unchanged=len(lines) - len(changes),
        changes=changes,
    )
    return difference, divisions


def _malformed(lines: Sequence[Line]) -> Iterable[Mistake]:
    seen: set[str] = set()
    for one in lines:
        is_code = one.code.isascii() and one.code.isdigit() and 2 <= len(one.code) <= MAX_CODE
        if not is_code:
            yield one.row, "code", "应为 2 至 20 位数字", "expected 2 to 20 digits"
        elif one.code in seen:
            yield one.row, "code", "代码重复", "there twice"
        seen.add(one.code)
        is_line = is_one_line(one.name) and is_visible(one.name)
        if not (is_line and len(one.name) <= MAX_NAME):
            yield one.row, "name", "名称应为 1 至 100 字的一行", "expected a line of 1 to 100"
        if one.level not in set(Level):
            yield one.row, "level", "不在可选范围内", "not a level"


class _Tree:
    """The organisations that a file names, and where it would put them, below ``org``.

    ``children``: those directly below the named ones, as they are.
    """

    def __init__(self, org: Org, known: Mapping[str, Org], children: Sequence[Org]) -> None:
        self._org, self._known, self._children = org, known, children
        # Of all organisations on the paths that are known: the code above each.
        self._above: dict[str, str] = {}
        for one in (org, *known.values()):
            codes = one.path.strip("/").split("/")
            self._above |= dict(zip(codes[1:], codes, strict=False))

    def mistakes(self, lines: Mapping[str, Line]) -> Iterable[Mistake]:
        for one in lines.values():
            known = self._known.get(one.code)
            if known is not None and not known.path.startswith(self._org.path):
                yield one.row, "code", "属于其他组织", "it belongs to another organisation"
            elif known is not None and known.closed_at is not None:
                yield one.row, "code", "该组织已撤销", "the organisation is closed"
            if one.code == self._org.code:
                yield from self._changed_itself(one)
                continue
            yield from self._wrong_parent(one, lines)
        for child in self._children:
            yield from self._wrong_child(child, lines)

    def _changed_itself(self, one: Line) -> Iterable[Mistake]:
        """Compare the organisation of the import, whose own fields are for those above it."""
        now = (self._org.name, self._above.get(one.code) or "", self._org.level)
        asked = (one.name, one.parent_code, one.level)
        for field, before, after in zip(("name", "parent_code", "level"), now, asked, strict=True):
            if before != after:
                yield one.row, field, "不能更改导入所在的组织", "its own fields stay as they are"

    def _wrong_child(self, child: Org, lines: Mapping[str, Line]) -> Iterable[Mistake]:
        """Compare an organisation that stays where it is with the one above it."""
        above = lines.get(self._above_of(child))
        if above is None or child.code in lines:
            return
        if DEPTH[Level(child.level)] <= DEPTH[Level(above.level)]:
            yield above.row, "level", "级别应高于下级组织", "not above the level of one below it"

    @staticmethod
    def _above_of(child: Org) -> str:
        return child.path.strip("/").split("/")[-2]

    def _wrong_parent(self, one: Line, lines: Mapping[str, Line]) -> Iterable[Mistake]:
        field = "parent_code"
        parent = self._known.get(one.parent_code)
        if one.parent_code not in lines and parent is None:
            yield one.row, field, "上级不存在", "no such organisation"
            return
        if parent is not None and parent.closed_at is not None:
            yield one.row, field, "上级组织已撤销", "it is closed"
        if not self._is_below(one.code, lines):
            yield (
                one.row,
                field,
                "应在导入所在组织之下，且不能互为上下级",
                "not below the organisation of the import, or below itself",
            )
        level = lines[one.parent_code].level if one.parent_code in lines else None
        above = Level(level or (parent.level if parent else one.level))
        if DEPTH[Level(one.level)] <= DEPTH[above]:
            yield one.row, "level", "级别应低于上级组织", "the level must be below the parent's"

    def _is_below(self, code: str, lines: Mapping[str, Line]) -> bool:
        """Follow the parents, as they would be, up to the organisation of the import."""
        seen: set[str] = set()
        while code != self._org.code:
            if code in seen:
                return False
            seen.add(code)
            code = lines[code].parent_code if code in lines else self._above.get(code, "")
            if not code:
                return False
        return True

    def change(self, one: Line) -> OrgDifferenceOut:
        known = self._known.get(one.code)
        before = known and OrgFieldsOut(
            name=known.name, level=Level(known.level), parent_code=self._above.get(one.code)
        )
        after = OrgFieldsOut(
            name=one.name, level=Level(one.level), parent_code=one.parent_code or None
        )
        return OrgDifferenceOut(row=one.row, code=one.code, before=before, after=after)

    def paths(self, lines: Mapping[str, Line]) -> dict[str, str]:
        """Return the path that each organisation of the file would have."""
        found = {self._org.code: self._org.path}

        def path_of(code: str) -> str:
            if code not in found:
                above = lines[code].parent_code if code in lines else self._above[code]
                found[code] = f"{path_of(above)}{code}/"
            return found[code]

        return {code: path_of(code) for code in lines}
