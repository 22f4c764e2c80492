"""A constraint, index or trigger that is gone or off is told; after a restore nothing is."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.embedded.layout import Engines
from app.runtime import Runtime
from app.services.ledger.verification import Report
from tests.conftest import ScratchFactory
from tests.engines import as_owner
from tests.factories.damage import Damageable, damageable
from tests.factories.ledger import verified

REFUSE = "CREATE OR REPLACE FUNCTION refuse_closed_days() RETURNS trigger LANGUAGE plpgsql AS"
ANOTHER = "ALTER TABLE charges DROP CONSTRAINT ck_charges_status"
DAMAGE = {
    "a CHECK": (
        "ALTER TABLE awards DROP CONSTRAINT ck_awards_state",
        "constraint ck_awards_state of awards",
    ),
    "a CHECK that is not enforced for old rows": (
        f"{ANOTHER}, ADD CONSTRAINT ck_charges_status CHECK (true) NOT VALID",
        "constraint ck_charges_status of charges",
    ),
    "an EXCLUDE": (
        "ALTER TABLE attended_times DROP CONSTRAINT ex_attended_times_overlap",
        "constraint ex_attended_times_overlap of attended_times",
    ),
    "a key": (
        "ALTER TABLE checkins DROP CONSTRAINT uq_checkins_activity_id_session_person_id",
        "constraint uq_checkins_activity_id_session_person_id of checkins",
    ),
    "the triggers of a foreign key": (
        "ALTER TABLE charges DISABLE TRIGGER ALL",
        "constraint fk_charges_merchant_id of charges",
    ),
    "NOT NULL": (
        "ALTER TABLE awards ALTER COLUMN reason DROP NOT NULL",
        "column reason of awards",
    ),
    "a trigger that is off": (
        "ALTER TABLE cases DISABLE TRIGGER cases_entry",
        "trigger cases_entry of cases",
    ),
    "a function that does nothing": (
        f"{REFUSE} 'BEGIN RETURN NULL; END'",
        "trigger refuse_closed_days of ledger_transfers",
    ),
}
# What pg_restore does with them: PostgreSQL reads its own text, and then writes another.
WRITTEN_ANEW = """
DO $$
DECLARE one record;
BEGIN
    FOR one IN SELECT conrelid::regclass AS place, conname, pg_get_constraintdef(oid) AS text
               FROM pg_constraint
               WHERE contype = 'c' AND connamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.place, one.conname);
        EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', one.place, one.conname, one.text);
    END LOOP;
END $$
"""


def schema_differences(report: Report) -> list[str]:
    return [one.subject for one in report.differences if one.check.startswith("schema")]


@pytest_asyncio.fixture(scope="module")
async def empty(
    engines_and_template: tuple[Engines, str], worker_number: int
) -> AsyncIterator[Damageable]:
    async with (
        ScratchFactory(engines_and_template, worker_number)() as application,
        damageable(application, engines_and_template[0]) as found,
    ):
        yield found


@pytest.mark.parametrize(("damage", "subject"), DAMAGE.values(), ids=DAMAGE.keys())
async def test_what_is_gone_or_off_is_told(empty: Damageable, damage: str, subject: str) -> None:
    report = await empty.damaged(damage)
    assert subject in schema_differences(report)


async def test_a_restored_schema_is_the_same(alone: FastAPI) -> None:
    runtime: Runtime = alone.state.runtime
    await as_owner(runtime.settings, WRITTEN_ANEW)
    assert schema_differences(await verified(runtime)) == []
