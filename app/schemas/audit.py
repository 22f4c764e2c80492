"""API schemas of the audit trail."""

import re
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from pkgutil import walk_packages
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from app import models, schemas
from app.core.discovery import declared
from app.core.language import PersonName
from app.models.base import Record
from app.schemas.base import Out

SubjectType = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$", max_length=40)]

VALUES = {
    "verb": {
        "created": ("创建", "created"),
        "class_list_read": ("查看点名册", "class list read"),
        "handed_over": ("交接孩子", "handed over"),
        "goods_handed_over": ("发放兑换品", "goods handed over"),
        "handovers_settled": ("结算离线发放", "offline hand-overs settled"),
        "walked_in": ("现场兑换", "walk-in served"),
        "handover_code_made": ("生成交接码", "hand-over code made"),
        "pickup_named": ("登记接送人", "pickup named"),
        "pickup_removed": ("移除接送人", "pickup removed"),
        "signed_up": ("报名", "signed up"),
        "changed": ("修改", "changed"),
        "moved": ("变更状态", "moved"),
        "deleted": ("删除", "deleted"),
        "blocked": ("屏蔽", "blocked"),
        "published": ("发布", "published"),
        "proposed": ("申报", "proposed"),
        "approved": ("审核通过", "approved"),
        "lapsed": ("因账户注销而终止", "ended with its account"),
        "rejected": ("审核不通过", "rejected"),
        "reversed": ("冲正", "reversed"),
        "reversed_in_part": ("部分冲正", "reversed in part"),
        "evidence_added": ("补充材料", "evidence added"),
        "refunded": ("退款", "refunded"),
        "objection_upheld": ("异议成立", "objection upheld"),
        "objection_dismissed": ("异议不成立", "objection dismissed"),
        "exported": ("导出", "exported"),
        "imported": ("导入", "imported"),
        "appointed": ("任命", "appointed"),
        "forgotten": ("清除旧记录", "old entries dropped"),
        "dismissed": ("免职", "dismissed"),
        "accepted": ("接受", "accepted"),
        "suspended": ("停用", "suspended"),
        "restored": ("恢复", "restored"),
        "frozen": ("冻结", "frozen"),
        "unfrozen": ("解冻", "unfrozen"),
        "lost": ("挂失", "reported lost"),
        "replaced": ("补卡", "replaced"),
        "secret_replaced": ("更换密钥", "secret replaced"),
        "replayed": ("补发", "replayed"),
        "codes_locked": ("暂停扫码", "locked after wrong codes"),
        "renamed": ("更名", "renamed"),
        "relocated": ("调整隶属", "moved below another"),
        "closed": ("撤销", "closed"),
        "reopened": ("恢复设立", "reopened"),
        "searched": ("查询", "searched"),
        "viewed": ("查看", "viewed"),
        "undone": ("撤销", "undone"),
        "collected_by_proxy": ("他人代领", "collected by a proxy"),
        "refunded_in_part": ("部分退款", "refunded in part"),
        "cancelled": ("撤销", "cancelled"),
        "erased": ("抹除", "erased"),
        "given": ("同意", "given"),
        "withdrawn": ("撤回", "withdrawn"),
        "confirmed": ("确认", "confirmed"),
        "removed": ("移除", "removed"),
        "list_recorded": ("名单登记", "list recorded"),
        "scans_settled": ("结算离线记录", "scans settled"),
        "code_shown": ("查看签到码", "check-in code shown"),
        "edited": ("编辑", "edited"),
        "organizes": ("参与组织", "organizes"),
        "renewed": ("换发", "renewed"),
        "flagged": ("标记存疑", "flagged"),
        "ended": ("终止", "ended"),
        "used": ("使用", "used"),
    }
}
# The singular nouns of subjects that are no ``Record``.
OTHER_NOUNS = {
    "activity",
    "activity_answer",
    "answer_draft",
    "award",
    "card",
    "certificate",
    "charge",
    "checkin",
    "child",
    "clock",
    "closure",
    "consent",
    "data_copy",
    "export",
    "handover",
    "merchant",
    "org",
    "person",
    "policy",
    "proposal",
    "quest_visit",
    "redemption",
    "reward",
    "seal",
    "signup",
    "transfer",
    "unit",
    "verification",
}


def _with_states(schema: dict[str, Any]) -> None:
    """Add the states of all nouns to the OpenAPI document."""
    keys = [key for values in declared(schemas, "VALUES") for key in values]
    enums = [key for key in keys if getattr(key, "__name__", "").endswith(("State", "Status"))]
    schema["enum"] = sorted({str(state) for enum in enums for state in enum})


def nouns() -> set[str]:
    """Return the singular nouns of audit entries, notices and attachments."""
    for module in walk_packages(models.__path__, f"{models.__name__}."):
        import_module(module.name)
    records = {re.sub(r"(?<!^)(?=[A-Z])", "_", one.__name__).lower() for one in _below(Record)}
    return OTHER_NOUNS | records


def _below(base: type[Record]) -> Iterator[type[Record]]:
    for one in base.__subclasses__():
        if one.__module__.startswith("app."):
            yield one
        yield from _below(one)


def _with_nouns(schema: dict[str, Any]) -> None:
    schema["enum"] = sorted(nouns())


def _with_verbs(schema: dict[str, Any]) -> None:
    schema["enum"] = sorted(VALUES["verb"])


State = Annotated[str, Field(json_schema_extra=_with_states)]


class ActorOut(Out):
    """The person who decided."""

    id: UUID = Field(description="Id of the person.")
    display_name: PersonName = Field(description="Name of the person.")


class SubjectOut(Out):
    """The subject of a notice or entry. ``type`` is the singular noun, such as ``award``."""

    type: str = Field(
        json_schema_extra=_with_nouns, description="A singular noun, such as `award`."
    )
    id: UUID = Field(description="Id of the record of that noun.")


class AuditEntryOut(Out):
    """A decision. ``actor`` is null for commands of an operator; ``fields``: the changed fields.

    ``facts``: further values; for an export its ``list``, ``form`` and ``rows``.
    """

    id: UUID = Field(description="Id of the entry.")
    at: datetime = Field(description="When it was decided, in UTC.")
    actor: ActorOut | None = Field(description="Who decided; null: an operator's command.")
    verb: str = Field(
        json_schema_extra=_with_verbs, description="What was done, such as `published`."
    )
    subject: SubjectOut = Field(description="What it was done to.")
    org_id: UUID | None = Field(description="Id of the organisation it concerns; null: of none.")
    from_state: State | None = Field(
        serialization_alias="from", description="State before; null if no state changed."
    )
    to_state: State | None = Field(
        serialization_alias="to", description="State after; null if no state changed."
    )
    reason: str | None = Field(
        description="Why, in the words of who decided; null if none was asked for."
    )
    fields: list[str] = Field(description="Names of the changed fields, without their values.")
    facts: dict[str, str | int] = Field(
        description="Further values, such as `list`, `form` and `rows` of an export."
    )
    request_id: str | None = Field(
        description="The `X-Request-Id` of the request; null: no request did it."
    )
