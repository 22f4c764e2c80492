"""What `policies check` warns of: a whole programme may let fewer people decide, but not unseen."""

import pytest

from app.services.policies import publishing
from app.services.policies.reading import parse
from tests.services.test_policies import SOURCE, STATED

GENERAL = "[release.manual]\nreviewers = 1\nsecond_reviewer_from = 20"
OWN = "rules.taskforce_emergency.release.manual"


def changed(before: str, after: str) -> str:
    assert SOURCE.count(before) == 1
    return SOURCE.replace(before, after)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        (changed(GENERAL, GENERAL.replace("= 1", "= 0")), "release.manual.reviewers"),
        (changed(GENERAL, "[release.manual]"), "release.manual.reviewers"),
        (changed(STATED, STATED.replace("2", "0", 1)), f"{OWN}.reviewers"),
        (changed(STATED, STATED.replace("2", "2, notice_days = 0", 1)), f"{OWN}.notice_days"),
        (
            changed(STATED, STATED.replace("2", "2, second_reviewer_from = 21", 1)),
            f"{OWN}.second_reviewer_from",
        ),
        (
            changed(STATED, STATED.replace("manual", "poster_code = { wait_hours = 1 }, manual")),
            "rules.taskforce_emergency.release.poster_code.wait_hours",
        ),
    ],
    ids=["nobody by hand", "nobody said", "a rule's own", "its notice", "a second", "its wait"],
)
def test_who_decides_less_is_told_with_its_line(source: str, path: str) -> None:
    found = publishing.warnings(publishing.check(source), source)
    assert [one.path for one in found if one.path == path] == [path]
    [line] = [source.splitlines()[one.line - 1] for one in found if one.path == path]
    assert path.rpartition(".")[2] in line or line.startswith("[release.manual]")


@pytest.mark.parametrize("proof", ["manual", "poster_code"])
def test_what_is_stricter_is_not_warned_of(proof: str) -> None:
    stricter = "reviewers = 3, second_reviewer_from = 5, wait_hours = 48, notice_days = 9"
    source = changed(STATED, f"release = {{ {proof} = {{ {stricter} }} }}")
    assert publishing.warnings(publishing.check(source), source) == []


def test_a_document_below_is_not_warned_of_what_stands_above() -> None:
    above = parse(changed(GENERAL, "[release.manual]"))
    below = "[release.poster_code]\nwait_hours = 48"
    assert publishing.warnings(publishing.check(below, above), below) == []
