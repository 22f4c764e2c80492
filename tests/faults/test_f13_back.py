"""F13: after the seal of the night the clock of the host, PostgreSQL's too, goes back an hour."""

from datetime import timedelta

import pytest

from tests.faults.hosts import Ground, Town
from tests.faults.measured import Measured
from tests.faults.test_f12_two_clocks import A_DAY, A_MINUTE, PEOPLE, Gathering

pytestmark = pytest.mark.faults

AN_HOUR = timedelta(hours=1)
SEALED_AT, NEXT_SEALED_AT = 20 * A_MINUTE, 6 * A_MINUTE  # within a day of each other


async def back_an_hour(town: Town, gathering: Gathering, url: str) -> None:
    """Check people in before midnight, seal, set the clocks back, check the others in."""
    for one in gathering.early:
        assert await gathering.checks_in(url, one) == (201, "")
    await town.set(gathering.midnight + SEALED_AT)
    await town.seals("only", 1)
    await town.set(gathering.midnight + SEALED_AT - AN_HOUR)


async def test_what_comes_then_is_of_the_next_day(ground: Ground, measured: Measured) -> None:
    async with ground.town() as town:
        gathering = Gathering(town)
        town.add("only")
        await gathering.begin()
        with town.web("only") as url:
            await back_an_hour(town, gathering, url)
            for one in gathering.after:
                assert await gathering.checks_in(url, one) == (201, "")
            assert town.verified() == 0
            await town.set(gathering.midnight + A_DAY + NEXT_SEALED_AT)
            await town.seals("only", 2)
            everybody = [*gathering.early, *gathering.after]
            proven = [await town.is_proven(url, one.id) for one in everybody]
        assert proven == [True] * 2 * PEOPLE
        assert town.verified() == 0
        points = await gathering.points()
        # Time counts by the clock (decision 0022): for two hours, and for two and a half.
        assert points == [4] * PEOPLE + [5] * PEOPLE
    measured("F13", "check-ins an hour back, in the sealed day", f"{PEOPLE}, 0")


async def test_control_a_host_that_trusts_its_clock(ground: Ground, measured: Measured) -> None:
    async with ground.town() as town:
        gathering = Gathering(town)
        town.add("only")
        await gathering.begin()
        trigger = "ALTER TABLE ledger_transfers {} TRIGGER refuse_closed_days"
        await town.admin(trigger.format("DISABLE"))
        with town.web("only", "trusting") as url:
            await back_an_hour(town, gathering, url)
            assert await gathering.checks_in(url, gathering.after[0]) == (201, "")
            proven = [await town.is_proven(url, one.id) for one in gathering.early]
        await town.admin(trigger.format("ENABLE"))
        assert town.verified() == 1
        assert not all(proven)
    measured("F13", "control: proofs broken without the guards", proven.count(False))
