"""Columns of exported files: their headings, and names of values.

A list is exported field by field. The service does not start if a field has no heading: add it
here if several nouns have the field, else to ``HEADINGS`` of the noun's own schema module.
Nested fields are found by path (``actor.display_name``) or by their own name. No two columns of a
list have the same heading.

A noun's schema module names the values of its own fields in ``VALUES``: by the enum that a field
is typed as, all its members, or else by the name of the field.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from app import schemas
from app.core.discovery import declared
from app.core.language import Bilingual
from app.models.cases import CaseState
from app.schemas import browsing

Words = Mapping[str, Bilingual]  # by value

HEADINGS: dict[str, Bilingual] = browsing.HEADINGS | {
    "id": Bilingual("编号", "Id"),
    "org_id": Bilingual("组织编号", "Organisation id"),
    "person_id": Bilingual("人员编号", "Person id"),
    "award_id": Bilingual("积分记录编号", "Award id"),
    "proposal_id": Bilingual("申报编号", "Proposal id"),
    "request_id": Bilingual("请求编号", "Request id"),
    "created_by": Bilingual("创建人编号", "Created by (id)"),
    "display_name": Bilingual("姓名", "Name"),
    "title": Bilingual("名称", "Title"),
    "rule_key": Bilingual("规则", "Rule"),
    "kind": Bilingual("类型", "Kind"),
    "state": Bilingual("状态", "State"),
    "reason": Bilingual("原因", "Reason"),
    "note": Bilingual("备注", "Note"),
    # Amounts.
    "points": Bilingual("积分", "Points"),
    "points_asked": Bilingual("应扣积分", "Points asked"),
    "minutes": Bilingual("志愿时长（分钟）", "Minutes of service"),
    "left": Bilingual("剩余积分", "Points left"),
    # Times, in Asia/Shanghai.
    "at": Bilingual("时间", "Time (Shanghai)"),
    "created_at": Bilingual("创建时间", "Created at (Shanghai)"),
    "awarded_at": Bilingual("发放时间", "Awarded at (Shanghai)"),
    "release_at": Bilingual("到账时间", "Released at (Shanghai)"),
    "expires_at": Bilingual("到期时间", "Expires at (Shanghai)"),
    "appeal_until": Bilingual("申诉截止时间", "Appeal until (Shanghai)"),
    # Awards, deductions, objections and appeals.
    "evidence": Bilingual("佐证", "Evidence"),
    "proposed_by": Bilingual("申报人编号", "Proposed by (id)"),
    "reviews_needed": Bilingual("所需审核人数", "Reviews needed"),
    "approvals": Bilingual("已通过人数", "Approvals"),
    "has_objection": Bilingual("有异议", "Has an objection"),
    "objections": Bilingual("异议", "Objections"),
    "upheld": Bilingual("成立", "Upheld"),
    "appeal": Bilingual("申诉", "Appeal"),
    "decision": Bilingual("处理结果", "Decision"),
    # Funds and merchants.
    "giver": Bilingual("来源", "Giver"),
    "person.display_name": Bilingual("付款人", "Payer"),
    # The audit trail.
    "actor.id": Bilingual("操作人编号", "Actor id"),
    "actor.display_name": Bilingual("操作人", "Actor"),
    "verb": Bilingual("操作", "Verb"),
    "subject.type": Bilingual("对象类型", "Subject type"),
    "subject.id": Bilingual("对象编号", "Subject id"),
    "from_state": Bilingual("原状态", "From"),
    "to_state": Bilingual("新状态", "To"),
    "fields": Bilingual("字段", "Fields"),
    "facts": Bilingual("明细", "Facts"),
    "ends_at": Bilingual("结束时间", "Ends at (Shanghai)"),
    "starts_at": Bilingual("开始时间", "Starts at (Shanghai)"),
    "name": Bilingual("名称", "Name"),
    "status": Bilingual("状态", "Status"),
    "quantity": Bilingual("数量", "Quantity"),
    "activity_id": Bilingual("活动编号", "Activity id"),
    "merchant_id": Bilingual("商户编号", "Merchant id"),
    "merchant_name": Bilingual("商户", "Merchant"),
    # Facts of entries.
    "about": Bilingual("相关对象", "About"),
    "proposal": Bilingual("申报", "Proposal"),
    "unit": Bilingual("积分单位", "Unit"),
    "rule": Bilingual("规则", "Rule"),
    "awards": Bilingual("项数", "Awards"),
    "version": Bilingual("版本", "Version"),
    "effective_from": Bilingual("生效时间", "In force from"),
    "description": Bilingual("说明", "Description"),
    "org_name": Bilingual("组织", "Organisation"),
    "number": Bilingual("序号", "Number"),
    "started_at": Bilingual("开始时间", "Started at (Shanghai)"),
    "ended_at": Bilingual("结束时间", "Ended at (Shanghai)"),
    "closed_at": Bilingual("关闭时间", "Closed at (Shanghai)"),
}
# Fields of audit entries with states: those of the noun of ``subject``.
STATES = {"from_state", "to_state"}
YES, NO = Bilingual("是", "yes"), Bilingual("否", "no")
VALUES = {  # cases have no schemas of their own
    CaseState: {
        CaseState.received: ("待受理", "received"),
        CaseState.returned: ("待补充", "returned"),
        CaseState.accepted: ("办理中", "accepted"),
        CaseState.answered: ("已答复", "answered"),
        CaseState.refused: ("不予受理", "refused"),
        CaseState.closed: ("已办结", "closed"),
        CaseState.withdrawn: ("已终止", "withdrawn"),
    }
}


@dataclass(frozen=True, slots=True)
class Column:
    """``path``: the field names from the item down to the value; ``words``: names of values."""

    path: tuple[str, ...]
    heading: Bilingual
    words: Words
    is_state: bool = False  # of the subject of an audit entry: its noun names it


def columns_of(item: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Column]:
    """Yield a column for each field of a list's items, including fields of nested models.

    Raises LookupError for a field without a heading, and for an enum's member without words.
    """
    own = getattr(import_module(item.__module__), "HEADINGS", {})
    for name, field in item.model_fields.items():
        path = (*above, name)
        nested = _model_in(field.annotation)
        if nested is not None:
            yield from columns_of(nested, path)
            continue
        told = (own.get(".".join(path)), own.get(name), HEADINGS.get(".".join(path)))
        heading = next((one for one in told if one is not None), HEADINGS.get(name))
        if heading is None:
            raise LookupError(f"{item.__name__}.{name} has no heading: see schemas/exports.py")
        words = _words_of(item, name, field.annotation)
        yield Column(path, heading, words, is_state=name in STATES)


def require_distinct(columns: Sequence[Column]) -> None:
    """Raise LookupError for two columns with one heading: a reader could not tell them apart."""
    headings = [one.heading for one in columns]
    if twice := [".".join(one.path) for one in columns if headings.count(one.heading) > 1]:
        raise LookupError(f"one heading for {', '.join(twice)}: give them one by path")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a field's annotation, optional or not; None for values and lists."""
    optional = get_origin(annotation) in (Union, UnionType)
    for one in get_args(annotation) if optional else [annotation]:
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _words_of(item: type[BaseModel], name: str, annotation: Any) -> Words:
    """Return the names of a field's values: of its enum's members, or those of its own name."""
    own = getattr(import_module(item.__module__), "VALUES", {})
    enums = [one for one in _parts(annotation) if isinstance(one, type) and issubclass(one, Enum)]
    found: dict[str, Bilingual] = {}
    for enum in enums:
        found |= _bilingual(own.get(enum, {}))
        if bare := [str(one) for one in enum if str(one) not in found]:
            raise LookupError(f"{item.__name__}.{name}: no words in VALUES for {', '.join(bare)}")
    return found or _bilingual(own.get(name, {}))


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield an annotation and what it is made of: of ``State | None`` the enum too."""
    yield annotation
    for one in get_args(annotation):
        yield from _parts(one)


def _bilingual(named: Mapping[str, tuple[str, str]]) -> dict[str, Bilingual]:
    return {str(one): Bilingual(*words) for one, words in named.items()}


@cache
def _states() -> Mapping[str, Words]:
    """Return the words of all nouns' states, by noun: of ``AwardState`` for ``award``."""
    found: dict[str, Words] = {}
    for values in declared(schemas, "VALUES"):
        for key, named in values.items():
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", getattr(key, "__name__", "")).lower()
            noun, _, last = name.rpartition("_")
            if last in ("state", "status"):
                found[noun] = _bilingual(named)
    return found


def words_of_states(noun: str) -> Words:
    """Return the words of the states of a noun such as ``award``."""
    return _states().get(noun, {})
