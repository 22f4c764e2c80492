"""A job may be killed before any step of its way, and run again: the same comes of it."""

from collections.abc import AsyncIterator
from itertools import count

import pytest

from app.core import bulkhead
from app.core.db import Session
from app.jobs import awards, checkouts, expiry, funds, no_shows, signups, worker
from app.runtime import Runtime
from tests.conftest import ScratchFactory
from tests.factories.ledger import assert_ledger_verifies
from tests.faults.flawed_worker import STATEMENTS, committed
from tests.jobs.due import DUE, Due
from tests.jobs.knife import Knife, Strike, kill_the_connection, kill_the_process

pytestmark = pytest.mark.long
STRIKES = {"process": kill_the_process, "connection": kill_the_connection}


@pytest.fixture
async def runtime(scratch: ScratchFactory) -> AsyncIterator[Runtime]:
    """A database of our own: a job does whatever is due."""
    async with scratch() as application:
        yield application.state.runtime


@pytest.fixture
def _lists_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (awards, checkouts, expiry, funds, no_shows, signups):
        monkeypatch.setattr(module, "BATCH", 2)


@pytest.fixture(autouse=True)
def _open_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After trouble with PostgreSQL a process does not try for a moment: here nobody waits."""
    monkeypatch.setattr(bulkhead, "CLOSED_S", 0.0)


async def harm(knife: Knife, runtime: Runtime, due: Due, strike: Strike) -> tuple[list[int], int]:
    """Kill the job before each of its steps in turn, then run it again, to its end.

    Return the steps after whose kill something else came of it than of an undisturbed run,
    and how many kills left a part of the work done.
    """
    await due.job(runtime)  # so that the process has read what it reads once
    undisturbed = await due.prepare(runtime)
    before = await undisturbed.facts(runtime)
    await due.job(runtime)
    after = await undisturbed.facts(runtime)
    assert after != before, "there was nothing to do"
    harmed, halves = [], 0
    for step in count(1):
        owners = await due.prepare(runtime)
        if not await knife.cut(due.job, runtime, step, strike):
            break  # a job that waits for other transactions takes more or fewer steps each time
        halves += await owners.facts(runtime) not in (before, after)
        try:
            await due.job(runtime)
        except Exception:  # noqa: BLE001 - it cannot go on: that is harm, whatever says so
            harmed.append(step)
        else:
            harmed += [step] if await owners.facts(runtime) != after else []
    return harmed, halves


@pytest.mark.usefixtures("_lists_of_two")
@pytest.mark.parametrize("strike", STRIKES.values(), ids=STRIKES)
@pytest.mark.parametrize("due", DUE.values(), ids=DUE)
async def test_a_job_is_killed_anywhere_and_run_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, due: Due, strike: Strike
) -> None:
    with due.clock():
        harmed, halves = await harm(Knife(monkeypatch), runtime, due, strike)

    assert harmed == []
    assert halves > 0, "no kill was in the middle"
    await assert_ledger_verifies(runtime)


@pytest.mark.usefixtures("_lists_of_two")
@pytest.mark.parametrize(
    "name", ["announce-expiry", "expire-reservations", "remind-of-activities", "seal-days"]
)
async def test_control_a_job_without_transactions_is_harmed(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The others hold even so: what they post is known by its reference."""
    for statement in STATEMENTS:
        monkeypatch.setattr(Session, statement, committed(getattr(Session, statement)))

    with DUE[name].clock():
        harmed, _ = await harm(Knife(monkeypatch), runtime, DUE[name], kill_the_process)

    assert harmed != []


def test_every_job_that_moves_points_is_killed() -> None:
    """The other jobs move none: they deliver, count and forget."""
    others = {"outbox", "leaderboards", "nightly-rebuild", "forget"}
    others |= {"make-partitions", "drop-partitions"}
    others |= {"sweep-attachments", "check-pictures-again"}
    others |= {"erase-accounts", "forget-data-copies", "keep-retention-periods", "verify-ledger"}
    others |= {"publish-seals", "post-seals", "notify-of-seals"}
    others |= {"policy-simulations", "lapse-merges", "send-subscriptions", "expire-swaps"}
    others |= {"pass-on-offers", "fill-shifts", "remind-an-hour-before"}
    others |= {"flag-checkins", "forget-positions"}
    others |= {"put-reward-lists-in-force", "tell-waiting", "fund-coverages", "review-tiers"}
    others |= {"settle-redemption-days", "remind-of-redemption-days"}
    others |= {"derive-webhook-events", "deliver-webhooks", "deliver-to-slow-webhooks"}
    others |= {"forget-webhook-events"}
    not_yet = {"sweep-merges"}  # moves what arrived at an account that was merged; no kill is tried
    assert {job.name for job in worker.jobs()} == DUE.keys() | others | not_yet
    assert {name: due.job for name, due in DUE.items()} == {
        job.name: job.run for job in worker.jobs() if job.name in DUE
    }
