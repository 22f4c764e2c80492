"""`qingxiang policies simulate`: what a committee reads, and what it is refused."""

import asyncio
import csv
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from app.cli import attached, policies
from app.core.clock import BEGINNING
from app.core.settings import Settings
from app.models.orgs import Org
from app.runtime import Runtime
from tests.factories.attendance import in_force_since
from tests.factories.awards import give_award
from tests.factories.clock import TODAY
from tests.factories.orgs import make_org
from tests.factories.people import TestPerson, make_person
from tests.services.test_policies import SOURCE

pytestmark = pytest.mark.usefixtures("at_noon")
Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return how to run a command against the database of the tests."""
    monkeypatch.setattr(attached, "get_settings", lambda: settings)
    monkeypatch.setattr(policies, "out", Console(width=200))

    async def invoke(*words: object) -> Result:
        given = [str(word) for word in words]
        return await asyncio.to_thread(lambda: CliRunner().invoke(policies.cli, given))

    return invoke


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A draft that gives half a cap a day."""
    return write(tmp_path / "draft.toml", "[rules.volunteer_hour]\ncap = { day = 4 }\n")


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def rows_of(sheet: Path) -> list[dict[str, str]]:
    with sheet.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def period(since: int = 400, until: int = 0) -> list[str]:
    """Return the options from so many days ago to so many."""
    return [
        *("--from", f"{TODAY - timedelta(days=since)}"),
        *("--to", f"{TODAY - timedelta(days=until)}"),
    ]


async def somebody(runtime: Runtime) -> tuple[Org, TestPerson]:
    """Return an organisation with its own programme, where somebody has earned 8 points."""
    org, person = await make_org(runtime), await make_person(runtime, "欧阳小青")
    await in_force_since(runtime, org, SOURCE, BEGINNING)
    await give_award(runtime, person, org, points=8, minutes=240, days_ago=5)
    return org, person


async def test_a_committee_reads_who_would_have_earned_what(
    runtime: Runtime, run: Run, draft: Path, tmp_path: Path
) -> None:
    org, person = await somebody(runtime)
    sheet = tmp_path / "everybody.csv"

    result = await run("simulate", draft, *period(), "--org", org.code, "--csv", sheet)

    assert result.exit_code == 0, result.output
    cells = [[cell.strip() for cell in line.split("│")] for line in result.stdout.splitlines()]
    assert ["", "积分 points", "8", "4", "-4", ""] in cells
    assert ["", "volunteer_hour", "1 → 1", "8 → 4", "0 → 4", ""] in cells
    assert ["", "已达本规则每日上限 Limited by the rule's daily cap.", "0", "1", ""] in cells
    assert ["", "manual", "等候 pending", "1", "4", ""] in cells
    assert ["", f"{org.name} {org.code}", "8", "4", "–", "–", ""] in cells
    assert ["", f"欧*青 …{person.id.hex[-8:]}", "8", "4", "-4", ""] in cells
    assert person.name not in result.stdout
    assert rows_of(sheet) == [
        {
            "person_id": str(person.id),
            "name": "欧*青",
            "awards": "1",
            "points_now": "8",
            "points_draft": "4",
            "hours": "4",
            "cap_hits": "1",
        }
    ]


REFUSALS = {
    "backwards": (period(since=1, until=2), "--to 早于 --from / --to is before --from"),
    "not begun": (period(since=-1, until=-2), "这段时间还没有开始 / this time has not begun"),
    "before everything": (
        ["--from", "0001-01-01", "--to", "0001-01-02"],
        "早于 2020-01-01 没有记录 / there is no record before 2020-01-01",
    ),
    "nowhere": (
        [*period(), "--org", "404"],
        "组织不存在 / There is no such organisation.",
    ),
}


@pytest.mark.parametrize(("options", "sentence"), REFUSALS.values(), ids=REFUSALS)
async def test_a_time_or_place_that_is_none_is_refused(
    run: Run, draft: Path, options: list[str], sentence: str
) -> None:
    result = await run("simulate", draft, *options)
    assert (result.exit_code, result.stderr.strip()) == (1, sentence)


async def test_a_draft_with_a_mistake_is_told_with_its_line_and_writes_nothing(
    run: Run, tmp_path: Path
) -> None:
    sheet = write(tmp_path / "everybody.csv", "of last year")
    wrong = write(tmp_path / "draft.toml", "[caps]\nday = 0\n")
    before = files_of(tmp_path)

    result = await run("simulate", wrong, *period(), "--org", "321182001", "--csv", sheet)

    assert result.exit_code == 1
    assert result.stderr.startswith("draft.toml: line 2: caps.day: 应不小于 1 / ")
    assert files_of(tmp_path) == before


async def test_a_sheet_that_cannot_be_written_is_refused(
    run: Run, draft: Path, tmp_path: Path
) -> None:
    result = await run("simulate", draft, *period(), "--csv", tmp_path / "nowhere" / "all.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith("all.csv: 无法写入 / cannot be written: ")


@pytest.mark.parametrize(
    "options",
    [
        period(until=-30),
        ["--from", "0001-01-01", "--to", f"{TODAY}"],
        ["--from", f"{TODAY}", "--to", "9999-12-31"],
    ],
)
async def test_a_period_may_be_wider_than_all_records(
    runtime: Runtime, run: Run, draft: Path, options: list[str]
) -> None:
    org, _ = await somebody(runtime)
    result = await run("simulate", draft, *options, "--org", org.code)
    assert result.exit_code == 0, result.output


async def test_a_check_warns_of_what_has_no_effect(run: Run, tmp_path: Path) -> None:
    stated = "rotating_code = { reviewers = 2 }"
    assert stated in SOURCE
    file = write(
        tmp_path / "loose.toml", SOURCE.replace(stated, "rotating_code = { reviewers = 1 }")
    )

    result = await run("check", file)

    assert result.exit_code == 0
    assert "warning: line " in result.stdout
    assert "rules.taskforce_emergency.release.rotating_code" in result.stdout
    assert "warning" not in (await run("check", write(tmp_path / "fine.toml", SOURCE))).stdout
