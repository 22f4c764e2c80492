"""Wire shapes of merges, and the words of their notices."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual, PersonName
from app.models.merges import MergeState
from app.schemas.base import STREET, Code, Id, In, OneLine, RecordOut, example
from app.schemas.notify import words

VALUES = {
    MergeState: {
        MergeState.proposed: ("待确认", "proposed"),
        MergeState.confirmed: ("已合并", "merged"),
        MergeState.rejected: ("已驳回", "rejected"),
        MergeState.lapsed: ("已失效", "lapsed"),
    }
}
HEADINGS = {
    "absorbed_id": Bilingual("并入账号编号", "Absorbed person"),
    "absorbed_name": Bilingual("并入账号", "Absorbed"),
    "absorbed_card_no": Bilingual("并入卡号", "Absorbed card"),
    "kept_id": Bilingual("保留账号编号", "Kept person"),
    "kept_name": Bilingual("保留账号", "Kept"),
    "kept_card_no": Bilingual("保留卡号", "Kept card"),
    "lapses_at": Bilingual("失效时间", "Lapses at"),
    "settled_by": Bilingual("处理人", "Settled by"),
    "settled_at": Bilingual("处理时间", "Settled at"),
    "answer": Bilingual("驳回原因", "Reason of the rejection"),
    "debt": Bilingual("转入欠分", "Debt moved"),
}
NOTICES = {
    "merge_proposed": words(
        ("账号合并申请", "Merge of accounts"),
        "{org}拟将您的一个账号并入尾号 {card} 的卡所属账号。如非您本人的账号，请立即联系{org}。",
        "{org} is about to merge an account of yours into that of the card ending in {card}."
        " If they are not both yours, tell {org} at once.",
    ),
    "merge_confirmed": words(
        ("账号已合并", "Accounts merged"),
        "您的两个账号已合并：转入 {points:n} 积分、{minutes:n} 分钟服务时长。",
        "Your two accounts are one now: {points:n point} and {minutes:n minute} of service moved.",
    ),
    "merges_waiting": words(
        ("账号合并待确认", "Merges to confirm"),
        "{org}新收到 {count:n} 项账号合并申请，请核对后处理。",
        "{count:n new merge} of accounts to confirm at {org}.",
        merges=True,
    ),
}


class MergeIn(
    In,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "absorbed_code": "482913057716204839",
            "kept_code": "907134462258801673",
            "reason": "本人持身份证到场，换手机后重复注册",
        }
    ),
):
    """Both cards are shown by one person who is there. The account of ``kept_code`` stays.

    Each code is used up by the proposal, as by a charge.
    """

    org_id: Id
    absorbed_code: Annotated[
        str, Code(64), Field(description="The 18 digits that the card shows whose account ends.")
    ]
    kept_code: Annotated[
        str, Code(64), Field(description="The 18 digits that the card shows whose account stays.")
    ]
    reason: Annotated[
        str, OneLine(200), Field(description="How it is known that both are one person's.")
    ]


class MergeRejectionIn(In, json_schema_extra=example({"reason": "经核实为两名居民"})):
    reason: Annotated[str, OneLine(200)] = Field(
        description="Why it is rejected. It stands with the merge."
    )


class MergeOut(RecordOut):
    """For auditors names and card numbers are masked. ``reason`` is null once it was erased.

    ``settled_by``: null until it is settled, and if it lapsed.

    ``points``, ``minutes`` and ``debt`` were moved at the confirmation; null before.
    """

    absorbed_id: UUID = Field(description="Id of the person whose account ends.")
    absorbed_name: PersonName = Field(description="Name of that person.")
    absorbed_card_no: str = Field(description="Number of the card of that account.")
    kept_id: UUID = Field(description="Id of the person whose account stays.")
    kept_name: PersonName = Field(description="Name of that person.")
    kept_card_no: str = Field(description="Number of the card of that account.")
    reason: str | None = Field(
        description="How it is known that both are one person's; null once it was erased."
    )
    state: MergeState = Field(description="State of the merge.")
    lapses_at: datetime = Field(description="Until when it can be confirmed, in UTC.")
    settled_by: UUID | None = Field(description="Id of who confirmed or rejected it; null: nobody.")
    settled_at: datetime | None = Field(
        description="When it was confirmed or rejected, or lapsed, in UTC; null: not yet."
    )
    answer: str | None = Field(description="The reason of a rejection.")
    points: int | None = Field(
        description="Points moved to the kept account; null before the confirmation."
    )
    minutes: int | None = Field(
        description="Minutes of service moved; null before the confirmation."
    )
    debt: int | None = Field(
        description="Points owed that were moved; null before the confirmation."
    )
