"""How fast a draft of the points rules is replayed: `python -m bench.simulation`.

A year of check-ins at two-hour activities of Shanghai's communities, and an award by hand for
each hundred of them. The draft lowers the day's cap. The time of the processor is Python's alone,
the memory the most that the process ever had.
"""

import asyncio
import resource
import sys
import time
from argparse import ArgumentParser
from datetime import date

from rich.console import Console
from rich.table import Table

from app.core.db import Database
from app.demo.cast import DATA
from app.demo.seed import publish_default_policy
from app.embedded.databases import connect, create_database, renamed
from app.embedded.layout import Engines
from app.migrations import migrate
from app.services.awards import simulation
from app.services.policies import publishing
from bench.crowds import Size, gather
from bench.scratch import scratch_engines

NAME = "simulation"
SIZE = Size(people=20_000, entries=1_000, activities=8_000, others=1_000)

# Ids as ``crowds`` makes them. Nobody is twice at one activity.
_CHECKINS = """
CREATE FUNCTION pg_temp.uid(kind int, n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS
$$ SELECT CAST(lpad(to_hex(kind), 8, '0') || lpad(to_hex(n), 24, '0') AS uuid) $$;
SET session_replication_role = replica;
CREATE TEMPORARY VIEW acts AS
SELECT n, pg_temp.uid(9, n) AS award_id, pg_temp.uid(1, 1 + n % {people}) AS person_id,
       pg_temp.uid(2, 1 + (n + n / {people}) % {activities}) AS activity_id
FROM generate_series(0, {checkins} - 1) n;
INSERT INTO awards (id, reference, person_id, org_id, unit_id, rule_key, policy_version, points,
    points_before_caps, minutes, state, reason, title, evidence, awarded_at,
    reviews_needed, notice_days)
SELECT k.award_id, 'bench:' || k.n, k.person_id, v.org_id, 1, 'volunteer_hour', 1, 4, 4, 120,
       'available', 'full', v.title, '{{}}', v.starts_at, 0, 0
FROM acts k JOIN activities v ON v.id = k.activity_id;
INSERT INTO checkins (id, activity_id, person_id, session, method, checked_in_at, award_id)
SELECT k.award_id, k.activity_id, k.person_id, 0, 'rotating_code', v.starts_at, k.award_id
FROM acts k JOIN activities v ON v.id = k.activity_id;
INSERT INTO awards (id, reference, person_id, org_id, unit_id, rule_key, policy_version, points,
    points_before_caps, minutes, state, reason, title, evidence, awarded_at,
    reviews_needed, notice_days, proposal_id)
SELECT pg_temp.uid(10, k.n), 'bench:hand:' || k.n, k.person_id, v.org_id, 1, 'council_submit', 1,
       3, 3, 0, 'available', 'full', '议题受理', jsonb_build_object('case_no', CAST(k.n AS text)),
       v.starts_at, 1, 0, pg_temp.uid(10, k.n)
FROM acts k JOIN activities v ON v.id = k.activity_id WHERE k.n % 100 = 0;
RESET session_replication_role;
VACUUM ANALYZE awards;
VACUUM ANALYZE checkins;
"""


async def prepare(found: Engines, checkins: int) -> None:
    await create_database(found.admin_database_url, NAME)
    owner_url = renamed(found.migration_database_url, NAME)
    await asyncio.to_thread(migrate, owner_url)
    await gather(found.admin_database_url, NAME, owner_url, SIZE)
    owner = Database(owner_url, pool_size=2, patient=True)
    async with owner.transaction() as tx:
        await publish_default_policy(tx)
    await owner.close()
    connection = await connect(found.admin_database_url, NAME)
    script = _CHECKINS.format(people=SIZE.people, activities=SIZE.activities, checkins=checkins)
    for statement in filter(str.strip, script.split(";\n")):
        await connection.execute(statement)
    await connection.close()


async def measure(found: Engines) -> tuple[int, float, float]:
    """Return how many acts were replayed, in how many seconds by the clock and of the processor."""
    database = Database(renamed(found.database_url, NAME), pool_size=2, patient=True)
    source = (DATA / "policy.toml").read_text(encoding="utf-8").replace("day = 24", "day = 3", 1)
    began, busy = time.perf_counter(), time.process_time()
    async with database.snapshot() as tx:
        draft = await publishing.draft(tx, source, None)
        result = await simulation.simulate(tx, draft, date(2026, 1, 1), date(2026, 12, 31))
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    await database.close()
    assert result.total.draft.points < result.total.now.points
    return result.total.now.awards, seconds, busy


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--checkins", type=int, nargs="+", default=[200_000, 1_000_000])
    table = Table("check-ins", "acts replayed", "s", "acts/s", "processor, s", "memory, MiB")
    for checkins in parser.parse_args().checkins:
        with scratch_engines() as (_, found):
            asyncio.run(prepare(found, checkins))
            acts, seconds, busy = asyncio.run(measure(found))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        row = (f"{acts / seconds:,.0f}", f"{busy:.1f}", f"{memory:.0f}")
        table.add_row(f"{checkins:,}", f"{acts:,}", f"{seconds:.1f}", *row)
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
