"""Retention periods: what is older goes, what is younger or alive stays."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlmodel import col, func, select

from app.core.clock import now
from app.core.settings import Settings
from app.jobs import closures, retention
from app.models.auth import TokenFamily
from app.models.closures import Closure
from app.runtime import Runtime
from tests.factories.clock import travel
from tests.factories.http import bearer, keyed, log_in
from tests.factories.people import TestPerson, make_person
from tests.routers.test_closures import LONG_ENOUGH, ME


async def counts(runtime: Runtime, person: UUID) -> tuple[int, int]:
    """Return the numbers of a person's logins and closures."""
    async with runtime.database.read() as tx:
        logins = select(func.count()).where(col(TokenFamily.person_id) == person)
        closed = select(func.count()).where(col(Closure.person_id) == person)
        return (await tx.exec(logins)).one(), (await tx.exec(closed)).one()


async def test_an_ended_login_goes_and_one_with_a_refresh_token_stays(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    ended = await make_person(runtime)  # with an access token alone
    alive = UUID((await log_in(api))["person"]["id"])
    with travel(now() + timedelta(days=runtime.settings.keep_logins_days, hours=-1)):
        await retention.forget(runtime)
    assert [(await counts(runtime, one))[0] for one in (ended.id, alive)] == [1, 1]
    with travel(now() + timedelta(days=runtime.settings.keep_logins_days, hours=1)):
        assert await retention.forget(runtime) >= 1
    assert [(await counts(runtime, one))[0] for one in (ended.id, alive)] == [0, 1]


async def test_a_closure_is_kept_to_show_that_it_was_carried_out(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    login = await log_in(api)
    person = TestPerson(UUID(login["person"]["id"]), "", bearer(login["access_token"]))
    await api.delete(ME, headers=keyed(person))
    for later in (LONG_ENOUGH, LONG_ENOUGH + timedelta(hours=2)):
        with travel(now() + later):
            await closures.erase(runtime)
    kept = LONG_ENOUGH + timedelta(days=runtime.settings.keep_closures_days)
    for hours, left in ((0, 1), (4, 0)):
        with travel(now() + kept + timedelta(hours=hours)):
            await retention.forget(runtime)
        assert (await counts(runtime, person.id))[1] == left


@pytest.mark.parametrize("name", ["keep_logins_days", "keep_closures_days"])
def test_a_period_that_would_delete_what_is_in_use_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.model_validate({"secret_key": "x" * 32, name: 1})
