"""Batches as spreadsheets: reading an uploaded XLSX, and the empty template.

A heading must contain the name of its field and may contain other text: ``案件编号 case_no``.
Columns whose heading contains no field name, such as 备注, are remarks and not read.
"""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.language import Bilingual
from app.core.xlsx.reader import Sheet, SheetRow, Value
from app.schemas.awards.batches import BatchOut, read_row
from app.schemas.policies.documents import Rule
from app.services import people, records
from app.services.awards.batches import Row, propose_rows, row_of
from app.services.awards.proposals import authorized, basis_at
from app.services.people import CardGuesses
from app.services.policies import rules
from app.services.policies.rules import PointsPolicy

_NAME = re.compile(r"(?<![A-Za-z0-9_])[a-z][a-z0-9_]*")
WHO = ("card_no", "person_id")
AMOUNTS = ("quantity", "points")
# Fields that every rule has, with their headings.
LABELS = {
    "card_no": "青享卡号",
    "person_id": "人员编号",
    "quantity": "数量",
    "grade": "等级",
    "points": "分值",
}


class WrongSheet(Refusal):
    """``fields``: the columns that are missing, unknown or duplicate."""

    code, status, title = "awards.wrong_sheet", 422, "Wrong sheet"
    zh, en = "表格的列与该规则不符，请使用模板", "The columns are not those of the rule's template."


async def propose_sheet(
    tx: Session,
    caller: UUID,
    sheet: Sheet,
    guesses: CardGuesses,
    *,
    org_id: UUID,
    rule_key: str,
    partial: bool,
) -> BatchOut:
    """Propose the rows of a sheet. Rows are identified by their numbers in the sheet.

    Raises OrgNotFound, Forbidden, OrgClosed, Invalid, WrongSheet, RowsWrong, TooManyProposals, and
    what ``guesses`` raises.
    """
    basis = await authorized(tx, caller, org_id, rule_key)
    columns = _columns(basis.rule, sheet)
    rows = [_row(row, columns) for row in sheet.rows]
    return await propose_rows(tx, caller, basis, rows, guesses, partial=partial)


async def template(
    tx: Session, caller: UUID, org_id: UUID, rule_key: str
) -> tuple[Rule, list[str]]:
    """Return the headings of the sheet for a rule. Raises OrgNotFound, Forbidden, Invalid."""
    org = await records.authorized(tx, caller, people.ORGANIZERS, org_id)
    basis = await basis_at(tx, org, rule_key)
    return basis.rule, list(_headings(basis.policy, basis.rule))


def _headings(policy: PointsPolicy, rule: Rule) -> Iterator[str]:
    yield f"{LABELS['card_no']} card_no"
    yield "姓名"
    yield f"{LABELS['quantity']} quantity"
    if rule.grades:
        yield f"{LABELS['grade']} grade ({', '.join(rule.grades)})"
    if rule.up_to:
        yield f"{LABELS['points']} points ({rule.points}–{rule.up_to})"
    for name in rules.demanded(rule):
        yield f"{policy.document.evidence.get(name, '')} {name}".strip()
    yield "备注"


def _columns(rule: Rule, sheet: Sheet) -> dict[str, str]:
    """Return the field of each heading. Raises WrongSheet."""
    asked = rules.demanded(rule)
    known = {*LABELS, *asked}
    columns: dict[str, str] = {}
    wrong = []
    for heading in sheet.headings:
        names = _NAME.findall(heading)
        if not names:
            continue
        if names[0] not in known:
            wrong.append((heading, "没有这一列", "no such column"))
        elif names[0] in columns.values():
            wrong.append((heading, "列名重复", "there twice"))
        else:
            columns[heading] = names[0]
    found = set(columns.values())
    if not found.intersection(WHO):
        wrong.append(("card_no", "缺少这一列", "missing"))
    wrong += [(name, "缺少这一列", "missing") for name in asked if name not in found]
    if wrong:
        raise WrongSheet(
            fields=[{"field": name, "msg": Bilingual(zh, en)} for name, zh, en in wrong]
        )
    return columns


def _row(row: SheetRow, columns: dict[str, str]) -> Row:
    body: dict[str, Any] = {"evidence": {}}
    for heading, value in row.cells.items():
        match columns.get(heading):
            case None:
                continue
            case name if name in AMOUNTS:
                body[name] = _amount(value)
            case name if name in LABELS:
                body[name] = str(value)
            case name:
                body["evidence"][name] = str(value)
    return row_of(row.number, read_row(body))


def _amount(value: Value) -> Value:
    """Convert digits to a number: Excel may store ``3`` as text."""
    is_number = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 9
    return int(value) if is_number else value
