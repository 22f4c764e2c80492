"""A constraint, index or trigger that is gone or off is told; after a restore nothing is."""

import pytest
from fastapi import FastAPI

from app.embedded.layout import Engines
from app.runtime import Runtime
from app.services.ledger import verification
from tests.engines import as_owner, as_superuser

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


@pytest.fixture
def runtime(alone: FastAPI) -> Runtime:
    found: Runtime = alone.state.runtime
    return found


async def differences(runtime: Runtime) -> list[str]:
    async with runtime.database.snapshot() as tx:
        report = await verification.verify(tx)
    return [one.subject for one in report.differences if one.check.startswith("schema")]


@pytest.mark.parametrize("damage", DAMAGE)
async def test_what_is_gone_or_off_is_told(
    runtime: Runtime, engines_and_template: tuple[Engines, str], damage: str
) -> None:
    assert await differences(runtime) == []
    statement, subject = DAMAGE[damage]
    await as_superuser(engines_and_template[0], runtime.settings, statement)
    assert subject in await differences(runtime)


async def test_a_restored_schema_is_the_same(runtime: Runtime) -> None:
    await as_owner(runtime.settings, WRITTEN_ANEW)
    assert await differences(runtime) == []
