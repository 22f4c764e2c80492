"""API schemas of verifications of the ledger."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from app.core.language import Bilingual
from app.models.verifications import VerificationState
from app.schemas.base import CreatedAt, Out

HEADINGS = {
    "duration_s": Bilingual("用时（秒）", "Duration (s)"),
    "step": Bilingual("当前检查", "Step"),
    "steps_done": Bilingual("已完成步数", "Steps done"),
    "steps_total": Bilingual("总步数", "Steps"),
    "checks": Bilingual("检查数", "Checks"),
    "rows_read": Bilingual("读取行数", "Rows read"),
    "findings": Bilingual("差异", "Findings"),
    "sealed_to": Bilingual("封印至", "Sealed until"),
    "head": Bilingual("末日封印", "Last seal"),
}


VALUES = {
    VerificationState: {
        VerificationState.waiting: ("等待执行", "waiting"),
        VerificationState.running: ("核对中", "running"),
        VerificationState.ok: ("账目相符", "the ledger verifies"),
        VerificationState.findings: ("发现差异", "differences"),
        VerificationState.interrupted: ("已中断", "interrupted"),
        VerificationState.failed: ("未能完成", "failed"),
    },
}


class VerificationFindingOut(Out):
    """A check that found differences. `qingxiang ledger verify` prints each of them."""

    check: str = Field(description="Name of the check, stable.")
    count: int = Field(description="Number of differences; 100 stands for 100 or more.")


class VerificationOut(Out):
    """A run of all checks. Only ``ok`` says that the ledger verifies.

    ``interrupted``: its worker ended meanwhile; ``failed``: an error or longer than two hours.
    """

    id: UUID = Field(description="Id of the verification.")
    state: VerificationState = Field(description="State of the verification.")
    created_by: UUID = Field(description="Id of the person who asked for it.")
    created_at: CreatedAt
    started_at: datetime | None = Field(
        description="When a worker began it, in UTC; null: it waits."
    )
    ended_at: datetime | None = Field(description="When it ended, in UTC; null: not yet.")
    duration_s: float | None = Field(description="Seconds from its start to its end.")
    step: str | None = Field(description="The check that runs.")
    steps_done: int = Field(description="Number of steps done.")
    steps_total: int = Field(description="Number of steps; 0 before the first.")
    checks: int = Field(description="Number of checks that were made; 0 until the end.")
    rows_read: dict[str, int] = Field(description="Rows of the ledger, by table.")
    findings: list[VerificationFindingOut] = Field(description="The checks that found differences.")
    sealed_to: date | None = Field(description="The last sealed day. Later days have no seal yet.")
    head: str | None = Field(
        description="Seal of that day, in hexadecimal: compare it with one that you kept."
    )
