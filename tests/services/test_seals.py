"""Seals: what is sealed cannot be changed unseen, and anybody can check an entry of theirs."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.core.clock import midnight
from app.embedded.layout import Engines
from app.jobs import seals as job
from app.queries.ledger import sealing as queries
from app.queries.ledger.sealing import ARITY, Sealed
from app.runtime import Runtime
from app.services.ledger import posting, verification
from app.services.ledger import seals as ledger_seals
from tests.conftest import ScratchFactory
from tests.engines import as_superuser
from tests.factories.clock import TODAY, noon, travel
from tests.factories.damage import Damageable, damageable
from tests.factories.http import assert_refused, in_process
from tests.factories.ledger import award_posting, give_points
from tests.factories.people import TestPerson, make_person

SCRIPT = Path(__file__).parents[2] / "docs" / "check_proof.py"
pytestmark = pytest.mark.usefixtures("at_noon")


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


@pytest.fixture
async def api(alone: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with in_process(alone) as client:
        yield client


async def give(runtime: Runtime, person: TestPerson, number: int, days_ago: int) -> None:
    """Give a person so many awards of a point at noon of a day."""
    postings = [award_posting(person.id, 1) for _ in range(number)]
    async with runtime.database.transaction() as tx:
        await posting.post(tx, postings, noon(days_ago))


async def published(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("/api/v1/ledger/seals")).json()["items"]
    return found


async def prove(api: httpx.AsyncClient, person: TestPerson, number: int) -> httpx.Response:
    path = f"/api/v1/me/points/entries/{number}/proof"
    return await api.get(path, headers=person.headers)


def checked(folder: Path, proof: dict[str, Any], seal: str) -> tuple[int, str]:
    """Run the script as a resident would."""
    file = folder / "proof.json"
    file.write_text(json.dumps(proof, ensure_ascii=False), encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-I", SCRIPT, file, seal], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


async def differences(runtime: Runtime, kept: dict[date, bytes] | None = None) -> list[str]:
    async with runtime.database.snapshot() as tx:
        report = await verification.verify(tx, published=kept)
    return [one.subject for one in report.differences if one.check.startswith("seals")]


async def test_every_day_that_is_over_is_sealed_in_a_chain(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    person = await make_person(runtime)
    await give(runtime, person, 2, days_ago=4)
    await give(runtime, person, 3, days_ago=1)
    await give(runtime, person, 1, days_ago=0)

    assert await job.seal(runtime) == 4
    assert await job.seal(runtime) == 0

    found = (await published(api))[::-1]
    days = [TODAY - timedelta(days=n) for n in (4, 3, 2, 1)]
    assert [date.fromisoformat(one["day"]) for one in found] == days
    assert [one["leaves"] for one in found] == [4, 0, 0, 6]
    assert [one["previous"] for one in found] == ["00" * 32] + [one["seal"] for one in found[:-1]]
    assert await differences(runtime) == []


async def test_seals_are_paged(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await give(runtime, await make_person(runtime), 1, days_ago=5)
    await job.seal(runtime)
    everything = await published(api)

    seen, query = [], {"limit": "2"}
    for _ in range(3):
        page = (await api.get("/api/v1/ledger/seals", params=query)).json()
        seen += page["items"]
        query["cursor"] = page["next_cursor"]

    assert page["next_cursor"] is None
    assert seen == everything
    assert len(seen) == 5


async def test_a_day_is_not_sealed_before_its_transactions_are_over(runtime: Runtime) -> None:
    await give(runtime, await make_person(runtime), 1, days_ago=0)
    midnight_tonight = midnight(TODAY + timedelta(days=1))
    async with runtime.database.read() as tx:
        early = await ledger_seals.days_to_seal(tx, midnight_tonight + timedelta(minutes=4))
        late = await ledger_seals.days_to_seal(tx, midnight_tonight + timedelta(minutes=5))
    assert (early, late) == ([], [TODAY])


# One leaf, a group and its neighbours, and more than a group of groups.
@pytest.mark.parametrize("number", [1, ARITY - 1, ARITY, ARITY + 1, 2 * ARITY + 3, ARITY * ARITY])
async def test_an_entry_is_proven_with_nothing_but_python(
    api: httpx.AsyncClient, runtime: Runtime, tmp_path: Path, number: int
) -> None:
    person, other = await make_person(runtime), await make_person(runtime)
    await give(runtime, other, 3, days_ago=1)
    await give(runtime, person, number, days_ago=1)
    await job.seal(runtime)
    (seal,) = await published(api)

    for entry in {1, number // 2 + 1, number}:
        response = await prove(api, person, entry)
        assert response.status_code == 200, response.text
        proof = response.json()
        assert re.fullmatch(rf"in\|\d+\|{entry}\|{entry}", proof["entry"])
        assert re.search(r"\|1\|1\|award\|.*\|测试发放$", proof["transfer"])
        said = f"{proof['transfer']}\n{proof['entry']}\nPROVEN\n"
        assert checked(tmp_path, proof, seal["seal"]) == (0, said)


async def test_a_proof_that_was_touched_proves_nothing(
    api: httpx.AsyncClient, runtime: Runtime, tmp_path: Path
) -> None:
    person = await make_person(runtime)
    await give(runtime, person, 70, days_ago=1)
    await job.seal(runtime)
    (seal,) = await published(api)
    proof = (await prove(api, person, 5)).json()
    assert checked(tmp_path, proof, seal["seal"])[0] == 0

    richer = proof | {"entry": proof["entry"].removesuffix("|5") + "|9"}
    other = proof | {"transfer": proof["transfer"].replace("|1|1|award|", "|1|9|award|")}
    moved = json.loads(json.dumps(proof))
    moved["path"][0]["place"] ^= 1
    beyond = json.loads(json.dumps(proof))
    beyond["path"][0]["place"] = 10**6
    shorter = proof | {"path": proof["path"][:-1]}
    rooted = proof | {"sealed": proof["sealed"] | {"root": "11" * 32}}
    for forged in (richer, other, moved, beyond, shorter, rooted):
        status, said = checked(tmp_path, forged, seal["seal"])
        assert (status, "NOT PROVEN" in said) == (1, True), said
    assert checked(tmp_path, proof, "22" * 32)[0] == 1


async def test_a_proof_of_a_seal_without_facts_is_good_for_ever(
    api: httpx.AsyncClient, runtime: Runtime, tmp_path: Path
) -> None:
    """As it was given before there were versions, and as it is given now."""
    person = await make_person(runtime)
    await give(runtime, person, 3, days_ago=1)
    await job.seal(runtime)
    proof = (await prove(api, person, 2)).json()
    sealed = {name: proof["sealed"][name] for name in ("day", "leaves", "root", "previous")}
    text = f"{sealed['day']}|{sealed['leaves']}|".encode() + bytes.fromhex(sealed["root"])
    seal = sha256(b"\x02" + bytes.fromhex(sealed["previous"]) + text).hexdigest()
    for given in (sealed, sealed | {"version": 1, "facts": 0, "facts_root": None}):
        assert checked(tmp_path, proof | {"sealed": given}, seal)[0] == 0
    assert checked(tmp_path, proof, seal)[0] == 1


async def test_the_first_seal_with_facts_follows_the_seals_without(
    api: httpx.AsyncClient, runtime: Runtime, tmp_path: Path
) -> None:
    """It covers the facts of all days before, too."""
    person = await make_person(runtime)
    await give(runtime, person, 2, days_ago=3)
    await give(runtime, person, 2, days_ago=1)
    await _seal_as_before(runtime, days_ago=3)
    await job.seal(runtime)

    found = await published(api)
    assert [one["version"] for one in found] == [2, 2, 1]
    assert [one["facts"] for one in found] == [2, 2, 0]
    assert await differences(runtime) == []
    for entry, seal in ((1, found[2]), (3, found[0])):
        proof = (await prove(api, person, entry)).json()
        assert checked(tmp_path, proof, seal["seal"])[0] == 0


async def _seal_as_before(runtime: Runtime, days_ago: int) -> None:
    """Seal a day in the form of the release before."""
    day = TODAY - timedelta(days=days_ago)
    async with runtime.database.transaction() as tx:
        await ledger_seals.close_days(tx, [day])
        bounds = midnight(day), midnight(day + timedelta(days=1))
        made = await queries.seal_nodes(tx, day, *bounds)
        assert made is not None
        one = Sealed(day, made[1], made[0], bytes(32), b"", 1, 0, None)
        await queries.insert_seal(tx, replace(one, seal=ledger_seals.seal_hash(one)))


async def test_a_proof_tells_nobody_elses_entry(api: httpx.AsyncClient, runtime: Runtime) -> None:
    """No neighbour in the group is the other side of the same transfer, whose id one knows."""
    person = await make_person(runtime)
    await give(runtime, person, 10, days_ago=1)
    await job.seal(runtime)
    proof = (await prove(api, person, 3)).json()
    transfer = proof["transfer"].split("|")[1]
    async with runtime.database.read() as tx:
        row = (
            await tx.fetch(
                "SELECT encode(sha256('\\x00' || sha256(convert_to(:transfer, 'UTF8')) ||"
                " convert_to(concat_ws('|', 'out', from_account_id, from_number, from_balance),"
                " 'UTF8')), 'hex') AS leaf FROM ledger_transfers WHERE id = :id",
                {"id": UUID(transfer), "transfer": proof["transfer"]},
            )
        )[0]
    nodes = proof["path"][0]["nodes"]
    assert abs(nodes.index(row.leaf) - proof["path"][0]["place"]) == 10


async def test_what_cannot_be_proven_is_told(api: httpx.AsyncClient, runtime: Runtime) -> None:
    person = await make_person(runtime)
    await give_points(runtime, person.id, 5)

    assert_refused(await prove(api, person, 1), 409, "ledger.not_sealed_yet")
    assert_refused(await prove(api, person, 2), 404, "ledger.entry_not_found")
    nobody = await api.get("/api/v1/me/points/entries/1/proof")
    assert_refused(nobody, 401, "auth.login_required")
    elsewhere = await api.get(
        "/api/v1/me/points/entries/1/proof", headers=person.headers, params={"unit": "francs"}
    )
    assert_refused(elsewhere, 404, "ledger.unit_unknown")


async def test_workers_at_once_seal_a_day_once(api: httpx.AsyncClient, runtime: Runtime) -> None:
    await give(runtime, await make_person(runtime), 5, days_ago=3)

    sealed = await asyncio.gather(*(job.seal(runtime) for _ in range(4)))

    assert sum(sealed) == len(await published(api)) == 3
    assert await differences(runtime) == []


DAMAGE = {
    "an amount and every balance after it": (
        "UPDATE ledger_transfers SET amount = amount + 1, to_balance = to_balance + 1"
    ),
    "a reason": "UPDATE ledger_transfers SET reason = '别的'",
    "a moment": "UPDATE ledger_transfers SET created_at = created_at + INTERVAL '1 second'",
    "a day": "UPDATE ledger_transfers SET created_at = created_at - INTERVAL '1 day'",
    "a reference": "UPDATE ledger_transfers SET reference = reference || 'x'",
    "an organisation": "UPDATE ledger_transfers SET org_id = gen_random_uuid()",
    "a source": "UPDATE ledger_transfers SET source_id = gen_random_uuid()",
    "a source's type": "UPDATE ledger_transfers SET source_type = 'other'",
    "what it settles": "UPDATE ledger_transfers SET closes_id = id",
    "a kind": "UPDATE ledger_transfers SET kind = 'donation'",
    "a unit": "UPDATE ledger_transfers SET unit_id = 2",
    "a transfer that vanished": "DELETE FROM ledger_transfers WHERE from_number = 1",
    "a transfer that came later": """
        SET session_replication_role = replica;  -- without the trigger
        INSERT INTO ledger_transfers SELECT gen_random_uuid(), unit_id, from_account_id,
            to_account_id, amount, from_number + 90, to_number + 90, from_balance, to_balance, kind,
            reason, 'late', source_type, source_id, org_id, NULL, created_at
        FROM ledger_transfers LIMIT 1""",
    "a node": "UPDATE ledger_seal_nodes SET node = sha256('x') WHERE level = 1",
    "a root": "UPDATE ledger_seals SET root = sha256('x') WHERE leaves > 0",
    "a seal": "UPDATE ledger_seals SET seal = sha256('x') WHERE leaves > 0",
    "a day that is gone": "DELETE FROM ledger_seals WHERE leaves > 0",
    "a version": "UPDATE ledger_seals SET version = 1, facts = 0, facts_root = NULL",
    "a number of facts": "UPDATE ledger_seals SET facts = facts + 1 WHERE leaves > 0",
    "a root of facts": "UPDATE ledger_seals SET facts_root = sha256('x') WHERE leaves > 0",
    "a number of leaves": "UPDATE ledger_seals SET leaves = leaves + 1 WHERE leaves > 0",
}


@pytest_asyncio.fixture(scope="module")
async def sealed(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Damageable]:
    """Four awards of a person, three days ago, under the first of three seals."""
    async with ScratchFactory(engines_and_template, worker_number)() as application:
        runtime: Runtime = application.state.runtime
        with travel(noon(), tick=True):
            await give(runtime, await make_person(runtime), 4, days_ago=3)
            assert await job.seal(runtime) == 3
        async with damageable(application, engines_and_template[0]) as found:
            yield found


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
async def test_a_change_of_what_is_sealed_is_seen(sealed: Damageable, damage: str) -> None:
    found = {one.check for one in (await sealed.damaged(damage)).differences}
    assert any(check.startswith("seals") for check in found), found


async def test_nothing_is_put_before_the_first_day(
    runtime: Runtime, engines_and_template: tuple[Engines, str]
) -> None:
    """In itself such a transfer is right: numbers, balances and lots follow."""
    person = await make_person(runtime)
    await give(runtime, person, 1, days_ago=3)
    await job.seal(runtime)
    await as_superuser(
        engines_and_template[0],
        runtime.settings,
        "ALTER TABLE ledger_transfers DISABLE TRIGGER refuse_closed_days",
    )
    await give(runtime, person, 1, days_ago=1_000)

    (found,) = await differences(runtime)
    assert found.startswith("transfer ")


async def test_a_seal_that_somebody_kept_binds_what_was_before(
    runtime: Runtime, engines_and_template: tuple[Engines, str]
) -> None:
    """The newest seals can be removed, or all days sealed anew: nothing else shows that."""
    await give(runtime, await make_person(runtime), 4, days_ago=3)
    await job.seal(runtime)
    async with runtime.database.snapshot() as tx:
        seals = await queries.chain(tx)
    kept = {seals[-1].day: seals[-1].seal}
    assert await differences(runtime, kept) == []
    forged = {seals[0].day: bytes(32)}
    assert await differences(runtime, forged) == [f"seal of {seals[0].day}"]

    newest = "day = (SELECT max(day) FROM ledger_seals)"
    await as_superuser(
        engines_and_template[0],
        runtime.settings,
        f"DELETE FROM ledger_seal_nodes WHERE {newest}",  # noqa: S608 - our own words
        f"DELETE FROM ledger_seals WHERE {newest}",  # noqa: S608
    )

    assert await differences(runtime) == []
    assert await differences(runtime, kept) == [f"seal of {seals[-1].day}"]
