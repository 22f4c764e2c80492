"""Output of a simulation: tables for a committee, and a CSV file with all people."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.attached import refuse
from app.models.awards import AwardReason, AwardState
from app.schemas.awards.reading import REASONS
from app.services.awards.replay import Ineligibility
from app.services.awards.simulation import Compared, Earner, Simulation

FUNDS_SHOWN = 20
COLUMNS = ("person_id", "name", "awards", "points_now", "points_draft", "hours", "cap_hits")
STATES = {
    AwardState.available: "即时到账 at once",
    AwardState.pending: "等候 pending",
    AwardState.notice: "公示 notice",
}
INELIGIBLE = {
    Ineligibility.no_rule: "无此规则 no rule",
    Ineligibility.evidence: "缺少佐证或无此等次 evidence or grade missing",
    Ineligibility.number: "编号已使用 number used before",
}


@contextmanager
def sheet(file: Path | None) -> Iterator[Callable[[Earner], None]]:
    """Yield a writer of people to a CSV file, or a no-op; the file appears when complete.

    With a byte order mark: Excel needs one to read Chinese as UTF-8.
    """
    if file is None:
        yield lambda _: None
        return
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(COLUMNS)

            def write(one: Earner) -> None:
                try:
                    writer.writerow(_cells(one))
                # the database layer would treat an OSError as its own failure
                except OSError as error:
                    raise _unwritable(file, error) from None

            yield write
        part.replace(file)
    except OSError as error:
        raise _unwritable(file, error) from None
    finally:
        part.unlink(missing_ok=True)


def _cells(one: Earner) -> tuple[object, ...]:
    now, draft = one.now, one.draft
    hours = f"{draft.minutes / 60:g}"
    return (one.id, one.name, draft.awards, now.points, draft.points, hours, one.cap_hits)


def _unwritable(file: Path, error: OSError) -> Exception:
    return refuse(f"{file.name}: 无法写入 / cannot be written: {error.strerror}")


def show(console: Console, found: Simulation) -> None:
    """Print the results of a simulation, sums first."""
    for table in (
        _sums(found.total),
        _rules(found),
        _reasons(found),
        _begins(found),
        _ineligible(found),
        _funds(found),
        _people(found),
    ):
        if table.row_count:
            console.print(table)
    if found.taken_back:
        console.print(
            f"{found.taken_back} 笔已退回或冲正的，不计入；退回以前占用上限。"
            f" / {found.taken_back} awards were taken back: not counted,"
            " but they filled caps until then.",
            highlight=False,
        )


def _table(title: str, first: str, *figures: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first, overflow="fold")
    for figure in figures:
        table.add_column(figure, justify="right")
    return table


def _sums(total: Compared) -> Table:
    table = _table("合计 Sums", "", "现行 now", "草案 draft", "变化 change")
    now, draft = total.now, total.draft
    rows = [
        ("笔数 awards", now.awards, draft.awards),
        ("积分 points", now.points, draft.points),
        ("时长（小时） hours", now.minutes / 60, draft.minutes / 60),
        ("上限扣除的积分 points cut by caps", now.cut, draft.cut),
    ]
    for name, before, after in rows:
        table.add_row(name, f"{before:,.10g}", f"{after:,.10g}", f"{after - before:+,.10g}")
    return table


def _rules(found: Simulation) -> Table:
    table = _table(
        "各规则，现行 → 草案 By rule, now → draft",
        "规则 rule",
        *("笔数 awards", "积分 points", "扣除 cut by caps"),
    )
    for key, one in sorted(found.rules.items()):
        now, draft = one.now, one.draft
        pairs = (
            (now.awards, draft.awards),
            (now.points, draft.points),
            (now.cut, draft.cut),
        )
        table.add_row(key, *(f"{before:,} → {after:,}" for before, after in pairs))
    return table


def _reasons(found: Simulation) -> Table:
    table = _table("触及上限 Cap hits", "原因 reason", "现行 now", "草案 draft")
    now, draft = found.reasons
    for reason in AwardReason:
        if reason is not AwardReason.full and now[reason] + draft[reason]:
            zh, en = REASONS[reason]
            table.add_row(f"{zh} {en}", f"{now[reason]:,}", f"{draft[reason]:,}")
    return table


def _begins(found: Simulation) -> Table:
    table = _table(
        "草案下的到账方式 How awards would begin",
        "凭证 proof",
        *("状态 state", "笔数 awards", "积分 points"),
    )
    for (proof, state), sums in sorted(found.begins.items()):
        table.add_row(proof, STATES[state], f"{sums.awards:,}", f"{sums.points:,}")
    return table


def _ineligible(found: Simulation) -> Table:
    table = _table(
        "草案下不再计分 No award under the draft",
        "原因 why",
        *("笔数 awards", "现行积分 points now"),
    )
    for why, sums in sorted(found.ineligible.items()):
        table.add_row(INELIGIBLE[why], f"{sums.awards:,}", f"{sums.points:,}")
    return table


def _funds(found: Simulation) -> Table:
    """Sort by shortfall, then by points under the draft, both descending."""
    impacts = sorted(
        found.impacts.values(), key=lambda one: (-one.short, -one.draft.points, one.code)
    )
    title = "公益银行 Funds"
    if len(impacts) > FUNDS_SHOWN:
        title += f"（前 {FUNDS_SHOWN} 个 first {FUNDS_SHOWN} / {len(impacts)}）"
    table = _table(
        title,
        "组织 organisation",
        *("现行 now", "草案 draft", "现有 holds", "缺口 short"),
    )
    for one in impacts[:FUNDS_SHOWN]:
        limited = (f"{one.holds:,}", f"{one.short:,}") if one.holds is not None else ("–", "–")
        figures = (f"{one.now.points:,}", f"{one.draft.points:,}")
        table.add_row(escape(f"{one.name} {one.code}"), *figures, *limited)
    return table


def _people(found: Simulation) -> Table:
    title = (
        f"人员 People：增加 more {found.more:,}，减少 less {found.less:,}，不变 same {found.same:,}"
    )
    table = _table(title, "姓名 name", "现行 now", "草案 draft", "变化 change")
    for one in found.most_changed:
        # The end of an id is random; its beginning is the time of registration.
        name = escape(f"{one.name} …{one.id.hex[-8:]}")
        table.add_row(name, f"{one.now.points:,}", f"{one.draft.points:,}", f"{one.change:+,}")
    return table
