"""Audit entries became facts after days had been sealed: the first seal with them covers all."""

import pytest
from fastapi import FastAPI

from app.embedded.layout import Engines
from app.jobs import seals as job
from app.queries.ledger import sealing
from app.queries.ledger.sealed_facts import FACTS
from app.runtime import Runtime
from app.services import audit
from app.services.ledger import sealed_facts, verification
from app.services.ledger.verification import ROWS
from tests.engines import as_superuser
from tests.factories.clock import A_DAY, noon, travel
from tests.factories.ledger import give_points
from tests.factories.orgs import make_org
from tests.factories.people import make_person

pytestmark = pytest.mark.usefixtures("at_noon")
CHANGE = "UPDATE audit_entries SET reason = 'x' WHERE verb = 'imported'"
ENTRIES = ROWS.format("audit entry")


@pytest.fixture
async def runtime(alone: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Two days ago was sealed by a release that did not seal audit entries."""
    found: Runtime = alone.state.runtime
    org = await make_org(found)
    person = await make_person(found)
    for days in (2, 1):
        await give_points(found, person.id, 1, at=noon(days))
        with travel(noon(days)):
            async with found.database.transaction() as tx:
                await audit.write_about(tx, None, "imported", ("org", org.id), org.id)
    with monkeypatch.context() as before:
        before.setattr(sealed_facts, "FACTS", [one for one in FACTS if not one.is_newer])
        with travel(noon(1) - A_DAY / 4):
            assert await job.seal(found) == 1
    return found


async def different(runtime: Runtime, *, since_first: bool = False) -> list[str]:
    """Verify in full, or from the first seal on; return the differing checks."""
    async with runtime.database.snapshot() as tx:
        known = {one.day: one.seal for one in await sealing.chain(tx)}
        since = min(known) if since_first else None
        report = await verification.verify(tx, published=known, since=since)
        assert (report.trusted_to is not None) is since_first
    return [one.check for one in report.differences]


@pytest.mark.parametrize("since_first", [False, True])
async def test_the_first_seal_with_audit_entries_covers_those_of_before(
    runtime: Runtime, engines_and_template: tuple[Engines, str], since_first: bool
) -> None:
    assert await different(runtime) == []
    assert await job.seal(runtime) == 1
    assert await different(runtime, since_first=since_first) == []
    await as_superuser(engines_and_template[0], runtime.settings, CHANGE)
    assert set(await different(runtime, since_first=since_first)) == {ENTRIES}


async def test_before_that_no_seal_says_anything_of_them(
    runtime: Runtime, engines_and_template: tuple[Engines, str]
) -> None:
    """The control: it is the seal that tells."""
    await as_superuser(engines_and_template[0], runtime.settings, CHANGE)
    assert await different(runtime) == []


async def test_without_what_is_kept_of_them_the_root_differs(
    runtime: Runtime, engines_and_template: tuple[Engines, str]
) -> None:
    assert await job.seal(runtime) == 1
    gone = "DELETE FROM ledger_sealed_facts WHERE fact = 'audit entry'"
    await as_superuser(engines_and_template[0], runtime.settings, gone)
    assert set(await different(runtime)) == {verification.ROOTS}
