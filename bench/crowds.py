"""Crowds: a database and a board of any size, made with set-based SQL in seconds.

A page asked of a crowd a hundred times smaller must hold as many items, or the two could
not be compared. So shares are fixed: of all activities one in twenty is of ``COMMUNITY``,
three in ten are volunteering, one in four has 清洁 and one in fifty has 急救 in its title;
three only, however many there are, have 灯谜. ``ONE``, the person who asks, has ``OWN``
sign-ups, notices and redemptions among those of all others, and the shop ``BUSY`` sales in
the month that is asked for.

The divisions are China's published codes, from china-division 2.7.0 (MIT).
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from app.core.clock import now, period_start
from app.core.db import Database
from app.core.redis import Breaker, Redis
from app.embedded.databases import connect
from app.integrations.leaderboards import START, Boards, new_generation
from app.services import divisions
from app.services.leaderboards.rules import board_name
from app.services.ledger import verification

SHANGHAI: Final = Path(__file__).parent / "data" / "divisions-shanghai.csv"
CITY, DISTRICT, COMMUNITY = "31", "310101", "310101002001"
OWN, BUSY = 40, 200
MONTH, MIDDLE = "2026-06", datetime(2026, 7, 1, tzinfo=UTC)
_CHUNK = 5_000


@dataclass(frozen=True)
class Size:
    """``entries`` is the length of one passbook; ``others`` counts rows of each other table."""

    people: int
    entries: int
    activities: int
    others: int


def person(number: int) -> UUID:
    return UUID(int=1 << 96 | number)


ONE, STAFF = person(1), person(3)
ACCOUNT = 3  # of ONE's points

# Ids are told by kind and number, so that rows can refer to each other without a look.
_NAMES = """
CREATE FUNCTION pg_temp.uid(kind int, n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS
$$ SELECT CAST(lpad(to_hex(kind), 8, '0') || lpad(to_hex(n), 24, '0') AS uuid) $$;
CREATE FUNCTION pg_temp.person(n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS
$$ SELECT pg_temp.uid(1, n) $$;
SELECT setseed(0.5);
"""

_PEOPLE = """
INSERT INTO people (id, openid_index, openid_sealed, display_name, shows_name)
SELECT pg_temp.person(n), decode(md5(CAST(n AS text)), 'hex'), '', '青年' || n, n % 3 = 0
FROM generate_series(1, {people}) n;
INSERT INTO cards (person_id) SELECT pg_temp.person(n) FROM generate_series(1, {people}) n;
"""

_ACTIVITIES = """
WITH places AS (
    SELECT array_agg(id ORDER BY code) AS ids FROM orgs WHERE level = 'community'
), drawn AS (
    SELECT n, random() AS place, random() AS spot, random() AS kind, random() AS theme,
           random() AS state, TIMESTAMPTZ '2026-01-01 00:00Z' + random() * INTERVAL '1 year' AS at
    FROM generate_series(1, {activities}) n
)
INSERT INTO activities (id, org_id, org_path, title, description, category, status, starts_at,
    ends_at, signup_opens_at, signup_closes_at, rule_key, signups_confirmed, signups_waitlisted,
    last_queue_number, checkins, created_by)
SELECT pg_temp.uid(2, n), o.id, o.path,
       CASE WHEN n IN (100, 700, 1300) THEN '元宵灯谜' WHEN theme < 0.25 THEN '社区清洁'
            WHEN theme < 0.27 THEN '急救培训'
            ELSE (ARRAY['清明植树', '青年夜校', '亲子读书', '羽毛球赛', '法律咨询', '敬老探访',
                        '交通劝导', '垃圾分类', '就业沙龙', '非遗体验'])[1 + CAST(theme * 9 AS int)]
       END || '第' || n || '期',
       repeat('带上水和帽子，准时到。', 10),
       CASE WHEN kind < 0.3 THEN 'volunteer_service'
            ELSE (ARRAY['culture', 'health', 'employment', 'safety'])[1 + CAST(kind * 3 AS int)]
       END,
       CASE WHEN state < 0.03 THEN 'draft' WHEN state < 0.08 THEN 'cancelled' ELSE 'published' END,
       at, at + INTERVAL '2 hours', at - INTERVAL '7 days', at, 'volunteer_hour', 0, 0, 0, 0,
       pg_temp.person(2)
FROM drawn, places JOIN orgs o ON true
WHERE o.id = CASE WHEN place < 0.05 THEN (SELECT id FROM orgs WHERE code = '{community}')
             ELSE ids[1 + CAST(spot * (cardinality(ids) - 1) AS int)] END;
"""

# What the trigger does row by row; the index is built at the end, the heap lies as it grew.
_LISTS = """
ALTER TABLE activity_lists DROP CONSTRAINT pk_activity_lists;
DROP INDEX ix_activity_lists_activity_id;
INSERT INTO activity_lists (list, status, starts_at, activity_id)
SELECT list, a.status, a.starts_at, a.id
FROM activities a, lists_of_activity(a.org_path, a.category) list;
ALTER TABLE activity_lists
    ADD CONSTRAINT pk_activity_lists PRIMARY KEY (list, status, starts_at, activity_id);
CREATE INDEX ix_activity_lists_activity_id ON activity_lists (activity_id);
INSERT INTO activity_texts (activity_id, text)
SELECT a.id, search_text(a.title, a.location_name, o.name, a.description)
FROM activities a JOIN orgs o ON o.id = a.org_id;
ALTER TABLE activity_words DROP CONSTRAINT pk_activity_words;
DROP INDEX ix_activity_words_activity_id;
INSERT INTO activity_words (word, starts_at, activity_id)
SELECT word, a.starts_at, a.id
FROM activity_texts t JOIN activities a ON a.id = t.activity_id, search_words(t.text) word;
ALTER TABLE activity_words
    ADD CONSTRAINT pk_activity_words PRIMARY KEY (word, starts_at, activity_id);
CREATE INDEX ix_activity_words_activity_id ON activity_words (activity_id);
"""

# Account 1 is the city's fund, 2 a shop's takings, 3 that of ONE, then one each. After the first 40
# entries every second one of ONE spends the point that came just before it, so that what is left
# does not grow with the passbook: it would expire.
_LEDGER = """
CREATE FUNCTION pg_temp.spent(n bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS
$$ SELECT greatest(n - 40, 0) / 2 $$;
CREATE FUNCTION pg_temp.spends(n bigint) RETURNS bool IMMUTABLE LANGUAGE sql AS
$$ SELECT n > 40 AND n % 2 = 0 $$;
INSERT INTO ledger_accounts (id, unit_id, owner_id, purpose, balance, floor, last_number)
OVERRIDING SYSTEM VALUE
VALUES (1, 1, (SELECT id FROM orgs WHERE code = '{city}'), 'fund',
        pg_temp.spent({entries}) - 2 * {entries}, NULL, 2 * {entries} - pg_temp.spent({entries})),
       (2, 1, pg_temp.uid(7, 1), 'takings', pg_temp.spent({entries}), 0, pg_temp.spent({entries})),
       (3, 1, pg_temp.person(1), 'available', {entries} - 2 * pg_temp.spent({entries}), 0,
        {entries});
INSERT INTO ledger_accounts (id, unit_id, owner_id, purpose, balance, floor, last_number)
OVERRIDING SYSTEM VALUE
SELECT n + 3, 1, pg_temp.person(n + 1), 'available', 1, 0, 1 FROM generate_series(1, {entries}) n;
WITH moves AS (
    SELECT pg_temp.uid(4, n) AS id, 1 AS payer, 3 AS payee, n - pg_temp.spent(n) AS from_number,
           n AS to_number, pg_temp.spent(n) - n AS from_balance,
           n - 2 * pg_temp.spent(n) AS to_balance, 'award' AS kind
    FROM generate_series(1, {entries}) n WHERE NOT pg_temp.spends(n)
    UNION ALL
    SELECT pg_temp.uid(4, n), 3, 2, n, pg_temp.spent(n), n - 2 * pg_temp.spent(n),
           pg_temp.spent(n), 'charge'
    FROM generate_series(1, {entries}) n WHERE pg_temp.spends(n)
    UNION ALL
    SELECT pg_temp.uid(5, n), 1, n + 3, {entries} - pg_temp.spent({entries}) + n, 1,
           pg_temp.spent({entries}) - {entries} - n, 1, 'award'
    FROM generate_series(1, {entries}) n
)
INSERT INTO ledger_transfers (id, unit_id, from_account_id, to_account_id, amount, from_number,
    to_number, from_balance, to_balance, kind, reason, reference, source_type, source_id, org_id)
SELECT id, 1, payer, payee, 1, from_number, to_number, from_balance, to_balance, kind,
       '清明植树', 'growth:' || id, 'activity', id, (SELECT id FROM orgs WHERE code = '{city}')
FROM moves;
INSERT INTO ledger_lots (id, account_id, transfer_id, amount, remaining, expires_at, org_id)
SELECT id, to_account_id, id, 1, CASE WHEN to_account_id = 3 AND to_number > 40 THEN 0 ELSE 1 END,
       '2028-12-31 16:00Z', org_id
FROM ledger_transfers WHERE kind = 'award';
INSERT INTO ledger_lot_uses (transfer_id, lot_id, amount)
SELECT pg_temp.uid(4, n), pg_temp.uid(4, n - 1), 1
FROM generate_series(1, {entries}) n WHERE pg_temp.spends(n);
INSERT INTO ledger_totals (account_id, number, earned, spent, expired, deducted)
SELECT 3, n, n - pg_temp.spent(n), pg_temp.spent(n), 0, 0
FROM generate_series(256, {entries}, 256) n;
"""

_SHOP = """
INSERT INTO merchants (id, org_id, name, kind, state)
SELECT pg_temp.uid(7, 1), id, '青年咖啡馆', 'shop', 'active' FROM orgs WHERE code = '{community}';
INSERT INTO rewards (id, org_id, merchant_id, key, name, kind, points, min_tier, state)
SELECT pg_temp.uid(8, 1), org_id, id, 'coffee', '咖啡', 'voucher', 20, 'sprout', 'published'
FROM merchants WHERE id = pg_temp.uid(7, 1);
INSERT INTO role_grants (person_id, role, merchant_id)
VALUES (pg_temp.person(3), 'merchant_staff', pg_temp.uid(7, 1));
"""

# Whose row n is, and when: ONE's are spread among the others', and so are the month's sales.
_OTHERS = """
CREATE TEMPORARY VIEW rows_of_others AS
SELECT n, CASE WHEN n % ({others} / {own}) = 0 THEN pg_temp.person(1)
          ELSE pg_temp.person(4 + n % ({people} - 4)) END AS person_id,
       CASE WHEN n % ({others} / {busy}) = 0 THEN TIMESTAMPTZ '2026-06-15 00:00Z'
            ELSE TIMESTAMPTZ '2026-05-01 00:00Z' - (n % 1500) * INTERVAL '1 day' END AS at
FROM generate_series(1, {others}) n;
INSERT INTO signups (id, activity_id, person_id, status)
SELECT pg_temp.uid(3, n), pg_temp.uid(2, n), person_id, 'confirmed' FROM rows_of_others;
INSERT INTO checkins (id, activity_id, session, person_id, method, checked_in_at, award_id)
SELECT id, activity_id, 0, person_id, 'rotating_code', created_at, id FROM signups;
INSERT INTO awards (id, reference, person_id, org_id, unit_id, rule_key, policy_version, points,
    points_before_caps, minutes, state, reason, title, evidence, awarded_at, reviews_needed,
    notice_days, open_objections)
SELECT s.id, 'growth:' || s.id, s.person_id, a.org_id, 1, 'volunteer_hour', 1, 4, 4, 120,
       'available', 'full', a.title, '{{}}', s.created_at, 0, 0, 0
FROM signups s JOIN activities a ON a.id = s.activity_id;
INSERT INTO notices (id, person_id, kind, text, outbox_id)
SELECT pg_temp.uid(3, n), person_id, 'promoted', '候补成功：清明植树', n
FROM rows_of_others;
INSERT INTO charges (id, merchant_id, person_id, staff_id, points, unit_id, note, status,
    created_at, refunded_at)
SELECT pg_temp.uid(3, n), pg_temp.uid(7, 1), person_id, pg_temp.person(3), 5, 1, '',
       CASE WHEN n / ({others} / {busy}) % 4 = 0 THEN 'refunded' ELSE 'charged' END, at,
       CASE WHEN n / ({others} / {busy}) % 4 = 0 THEN at + INTERVAL '1 hour' END
FROM rows_of_others;
INSERT INTO redemptions (id, person_id, reward_id, merchant_id, quantity, points, unit_id,
    status, pickup_code, stock_period_start, expires_at, settled_at)
SELECT pg_temp.uid(3, n), person_id, pg_temp.uid(8, 1), pg_temp.uid(7, 1), 1, 20, 1, 'collected',
       lpad(CAST(n AS text), 12, '0'), at, at, at
FROM rows_of_others;
"""


async def gather(admin_url: str, database: str, owner_url: str, size: Size) -> None:
    """Fill a migrated database; prove its ledger; leave it as autovacuum would.

    Triggers and foreign keys rest meanwhile: rows are consistent as they are made.
    """
    patient = Database(owner_url, pool_size=2, patient=True)
    async with patient.transaction() as tx:
        await divisions.load(tx, SHANGHAI)
    values: dict[str, Any] = {
        "city": CITY,
        "community": COMMUNITY,
        "own": OWN,
        "busy": BUSY,
        **asdict(size),
    }
    connection = await connect(admin_url, database)
    await connection.execute(
        "SET session_replication_role = replica; SET maintenance_work_mem = '256MB'"
    )
    await connection.execute(_NAMES)
    for script in (_PEOPLE, _ACTIVITIES, _LISTS, _LEDGER):
        await connection.execute(script.format_map(values))
    await connection.execute("VACUUM ANALYZE")
    async with patient.snapshot() as tx:
        report = await verification.verify(tx)
    await patient.close()
    assert report.holds, report.differences[:3]
    for script in (_SHOP, _OTHERS):  # it would not any more: nobody paid for the shop's charges
        await connection.execute(script.format_map(values))
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


class Patient(Breaker):
    """Waits for a Redis that is slow because the machine is busy filling two worlds."""

    async def call(self, answer: Any) -> Any:
        return await answer


async def rank(redis: Redis, people: int) -> None:
    """Put everybody on the city's board of the year; ONE is somewhere in the middle."""
    boards = Boards(redis, Patient(redis))
    name = board_name(f"/{CITY}/", "year", period_start(now(), "year"))
    generation, position = new_generation(), START
    for first in range(1, people + 1, _CHUNK):
        numbers = range(first, min(first + _CHUNK, people + 1))
        gained = {str(person(n)): 1 + (n * 7919 + 400) % 800 for n in numbers}
        after = (1, UUID(int=first))  # any position will do: nobody reads on from it
        assert await boards.apply(generation, position, after, {(name,): gained})
        position = after
    await boards.show(generation)
