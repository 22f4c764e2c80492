"""Check-ins without a place: who is asked for what, and how a steward is told."""

from datetime import timedelta

import httpx
from sqlalchemy import text

from app.core.clock import local_date, now, years_before
from app.models.activities import SignupFor
from app.models.consents import ConsentDocument
from app.runtime import Runtime
from tests.factories.activities import current_code, make_activity, make_attended, sign_up
from tests.factories.consents import agree
from tests.factories.http import assert_refused
from tests.factories.ledger import assert_ledger_verifies
from tests.factories.people import TestPerson, make_people, make_person
from tests.factories.presences import make_with_sessions
from tests.factories.signup_terms import describe, sign_up_by
from tests.routers.test_card_guesses import card_no
from tests.routers.test_stewards import ask, desk


async def _scan(
    api: httpx.AsyncClient, runtime: Runtime, person: TestPerson, activity: object
) -> httpx.Response:
    code = {"code": current_code(runtime, activity)}  # type: ignore[arg-type]
    return await api.post("/api/v1/checkins", headers=person.headers, json=code)


async def test_who_is_eligible_is_asked_where_no_place_was_given(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, steward = await desk(runtime)
    young, old, placed = await make_people(runtime, 3)
    today = local_date(now())
    await describe(runtime, old, birth_date=years_before(today, 30))
    for one in (young, placed):
        await describe(runtime, one, birth_date=years_before(today, 16))
    adults = {"min_age": 18}
    everybody = await make_activity(
        runtime, org=org, eligibility=adults, signup_for=SignupFor.nothing
    )
    signed_up = await make_activity(runtime, org=org)
    await sign_up(runtime, signed_up, placed)
    async with runtime.database.transaction() as tx:
        await tx.execute(
            text("UPDATE activities SET eligibility = :wanted WHERE id = :id"),
            {"wanted": everybody.eligibility, "id": signed_up.id},
        )

    assert_refused(await _scan(api, runtime, young, everybody), 403, "signups.not_eligible")
    assert (await _scan(api, runtime, old, everybody)).status_code == 201
    for person, status in ((young, 403), (old, 200), (placed, 200)):
        card = await card_no(api, person)
        told = await ask(api, steward, signed_up, card_no=card, walk_in=True)
        assert told.status_code == status, told.text
        if status == 403:
            assert_refused(told, 403, "signups.not_eligible")
            assert told.json()["msg"] == "此人不符合参加条件"
            assert not told.json().get("facts"), "what was seen of the person is not told"
    await assert_ledger_verifies(runtime)


async def test_the_consent_of_a_guardian_is_asked_at_the_door(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    child = await make_person(runtime)
    await describe(runtime, child, birth_date=years_before(local_date(now()), 10))
    everybody = await make_activity(runtime, signup_for=SignupFor.nothing)
    assert_refused(await _scan(api, runtime, child, everybody), 403, "signups.not_eligible")
    assert (await agree(api, child, ConsentDocument.guardian)).is_success
    placed = await make_attended(runtime, child)
    assert (await _scan(api, runtime, child, everybody)).status_code == 201

    withdrawn = await agree(api, child, ConsentDocument.guardian, given=False)

    assert withdrawn.is_success
    assert_refused(await _scan(api, runtime, child, placed), 403, "signups.not_eligible")


async def test_a_steward_is_told_about_somebody_else(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    org, steward = await desk(runtime)
    stranger, person = await make_people(runtime, 2)
    activity = await make_attended(runtime, person, org=org, checks_out=True)
    card = await card_no(api, stranger)

    unknown = await ask(api, steward, activity, card_no=card)
    away = await ask(api, steward, activity, action="check_out", person_id=str(person.id))

    assert_refused(unknown, 403, "checkins.not_signed_up")
    assert_refused(away, 409, "checkouts.not_checked_in")
    assert [one.json()["msg"] for one in (unknown, away)] == ["此人未报名此活动", "此人尚未签到"]


async def test_sign_up_to_a_session_closes_after_it_opened(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    over = now() - timedelta(days=9)
    series = await make_with_sessions(
        runtime,
        (over, 1),
        (now() + timedelta(days=1), 1),
        signup_for=SignupFor.session,
        signup_opens_at=now() - timedelta(days=1),
    )
    refused = await sign_up_by(api, series, await make_person(runtime), session=1)
    assert_refused(refused, 409, "signups.closed")
    facts = refused.json()["facts"]
    assert facts["opens_at"] <= facts["closes_at"]
