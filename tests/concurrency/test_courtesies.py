"""Courtesies at once: a quota, the one choice of a year, a package and a use, each held."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI

from app.queries import courtesy_claims as queries
from app.services.courtesy_claims import claiming
from tests.concurrency import rushes
from tests.concurrency.meeting import meet_after
from tests.engines import as_owner
from tests.factories.courtesies import make_offer
from tests.factories.people import make_person

AT_ONCE, QUOTA = 5, 2
Rush = Callable[[FastAPI], Awaitable[dict[str, int]]]


async def claims_of_a_quota(app: FastAPI) -> dict[str, int]:
    """One person claims five times at once, who may twice."""
    async with rushes.one_client_of(app) as (api, runtime):
        offer = await make_offer(api, runtime, period="run", cells=[{"quota": QUOTA}])
        person = await make_person(runtime)
        return rushes.outcomes(await rushes.at_once(offer.claim(person) for _ in range(AT_ONCE)))


async def choices_of_a_group(app: FastAPI) -> dict[str, int]:
    """One person claims five courtesies of one group at once."""
    async with rushes.one_client_of(app) as (api, runtime):
        first = await make_offer(api, runtime, period="run", choice_group="任选")
        same: dict[str, Any] = {"org": first.org, "counter": first.counter, "choice_group": "任选"}
        others = [await make_offer(api, runtime, period="run", **same) for _ in range(AT_ONCE - 1)]
        person = await make_person(runtime)
        replies = await rushes.at_once(one.claim(person) for one in (first, *others))
        return rushes.outcomes(replies)


HELD: dict[str, tuple[Rush, int, str]] = {
    "courtesies.quota_used": (claims_of_a_quota, QUOTA, "uq_courtesy_claims_quota"),
    "courtesies.choice_made": (choices_of_a_group, 1, "uq_courtesy_claims_choice"),
}


def take_out_the_card_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all claims of a rush see what was there before any of them."""

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(claiming, "lock_card", nothing)
    meet_after(monkeypatch, queries, "taken", AT_ONCE)


@pytest.mark.parametrize("code", HELD)
async def test_nobody_has_more_than_the_quota(app: FastAPI, code: str) -> None:
    rush, most, _ = HELD[code]
    assert await rush(app) == {"201": most, code: AT_ONCE - most}


@pytest.mark.parametrize("code", HELD)
async def test_the_index_holds_it_without_the_lock(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    take_out_the_card_lock(monkeypatch)
    assert await HELD[code][0](app) == {"201": 1, code: AT_ONCE - 1}


@pytest.mark.parametrize("code", HELD)
async def test_control_without_lock_and_index(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    rush, _, index = HELD[code]
    take_out_the_card_lock(monkeypatch)
    await as_owner(broken.state.runtime.settings, f"DROP INDEX {index}")
    assert await rush(broken) == {"201": AT_ONCE}


async def test_a_package_is_claimed_once(app: FastAPI) -> None:
    async with rushes.one_client_of(app) as (api, runtime):
        offer, person = await make_offer(api, runtime), await make_person(runtime)
        grant = await offer.granted(person)
        replies = await rushes.at_once(offer.claim_grant(person, grant) for _ in range(AT_ONCE))
    assert rushes.outcomes(replies) == {"201": 1, "courtesy_grants.claimed": AT_ONCE - 1}


async def test_a_claim_is_used_once(app: FastAPI) -> None:
    """Each request shows a code of its own."""
    async with rushes.one_client_of(app) as (api, runtime):
        offer, person = await make_offer(api, runtime), await make_person(runtime)
        claim = await offer.claimed(person)
        uses = [offer.use(person, claim["id"]) for _ in range(AT_ONCE)]
        replies = await rushes.at_once(uses)
    assert rushes.outcomes(replies) == {"200": 1, "courtesy_claims.wrong_state": AT_ONCE - 1}
