"""Consents: to the version in force, kept as a log, withdrawn with the account."""

import httpx

from app.models.consents import ConsentDocument
from app.runtime import Runtime
from app.services.consents import texts
from tests.factories.consents import CONSENTS, agree, consent
from tests.factories.erasures import tables_with
from tests.factories.http import assert_refused, keyed, walk
from tests.factories.people import make_person
from tests.factories.refusals import Ask as Refused
from tests.security.schema_world import Known, Setup
from tests.security.world import Ask, World

MATRIX = """
operation         rule    nobody alice bob  counter rival sibling parent auditor admin outsider
listConsentTexts  anyone  200    200   200  200     200   200     200    200     200   200
listMyConsents    person  401    200+  200  200     200   200     200    200     200   200
recordMyConsent   person  401    200+  200  200     200   200     200    200     200   200
"""
HERS = {"consents": "person_id = :alice"}
BESIDE_POINTS = {"consents"}
BEYOND_THE_SCHEMA = {"body", "consents.outdated", "consents.not_given"}
PRIVACY, GUARDIAN = ConsentDocument.privacy, ConsentDocument.guardian


async def _agreed(world: World) -> Ask:
    assert (await agree(world.api, world.alice, PRIVACY)).status_code == 200
    return Ask()


async def _consent(_: World) -> Ask:
    return Ask(body=consent(PRIVACY))


REQUESTS = {"listMyConsents": _agreed, "recordMyConsent": _consent}


async def known(_: Setup) -> Known:
    return {"version": [texts()[PRIVACY].version]}


async def _outdated(_: httpx.AsyncClient, runtime: Runtime) -> Refused:
    person, body = await make_person(runtime), consent(PRIVACY, version="2020-01-01")
    facts = {"text_version": texts()[PRIVACY].version}
    return Refused(person, "PUT", "/me/consents", facts, body)


REFUSED = {"consents.outdated": _outdated}


async def test_the_log_tells_which_version_and_a_withdrawal_closes_the_account(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    shown = (await api.get("/api/v1/consent-texts", headers={"Accept-Language": "en"})).json()
    assert [one["document"] for one in shown["items"]] == [*ConsentDocument]
    assert shown["items"][0]["title"] == "Privacy policy"
    withdrawn = await agree(api, person, PRIVACY, given=False)
    assert_refused(withdrawn, 409, "consents.not_given")
    for given in (True, False):
        assert (await agree(api, person, PRIVACY, given=given)).status_code == 200
    log = await walk(api, CONSENTS, person.headers)
    assert [(one["document"], one["given"]) for one in log] == [(PRIVACY, False), (PRIVACY, True)]
    closure = (await api.get("/api/v1/me/closure", headers=person.headers)).json()
    assert closure["cause"] == "consent_withdrawn"
    kept = await api.post("/api/v1/me/reopening", headers=keyed(person))
    assert_refused(kept, 409, "closures.consent_missing")
    assert (await agree(api, person, PRIVACY)).status_code == 200
    kept = await api.post("/api/v1/me/reopening", headers=keyed(person))
    assert kept.status_code == 204


async def test_a_guardian_is_named_and_nobody_reads_the_name(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person, name = await make_person(runtime), "司马监护人"
    unnamed = await agree(api, person, GUARDIAN, guardian=None)
    misplaced = await agree(api, person, PRIVACY, guardian={"name": name, "relation": "other"})
    for reply in (unnamed, misplaced):
        assert_refused(reply, 422, "request.invalid")
    told = {"name": name, "relation": "other"}
    assert (await agree(api, person, GUARDIAN, guardian=told)).status_code == 200
    assert await tables_with(runtime, [name]) == {}
