# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""SQL of activities."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert as insert_row
from sqlmodel import col, select

from app.core.db import Session
from app.models.activities import MAX_LENGTH, Activity, ActivityOrganizer, ActivityStatus

EVERYWHERE = "/"
# Sorts before every activity; the second sorts after all activities of one start.
FIRST, LAST_ID = (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0)), UUID(int=2**128 - 1)
# How many entries ahead the density of candidate lists is compared.
REACH = 200

# What is asked for, and where to read: each word of it, and the list of the place, contain all
# matches. Choose the one with the fewest entries from here on; NULL is the list.
_SPARSEST = text("""
SELECT q.terms, (
    SELECT k.word FROM (
        SELECT w.word, far.starts_at FROM unnest(q.words) AS w(word)
        LEFT JOIN LATERAL (
            SELECT l.starts_at FROM activity_words l
            WHERE l.word = w.word AND (l.starts_at, l.activity_id) > (:start, :activity)
            ORDER BY l.starts_at, l.activity_id LIMIT 1 OFFSET :reach
        ) far ON true
        UNION ALL
        SELECT NULL, (
            SELECT l.starts_at FROM activity_lists l
            WHERE l.list = :list AND l.status = (CAST(:statuses AS text[]))[1]
              AND (l.starts_at, l.activity_id) > (:start, :activity)
            ORDER BY l.starts_at, l.activity_id LIMIT 1 OFFSET :reach
        )
    ) k ORDER BY k.starts_at DESC NULLS FIRST, k.word LIMIT 1
) AS word
FROM search_asked(:q) q
""")

_TERMS = text("SELECT terms FROM search_asked(:q)")

# Conditions that the entries do not cover are checked on the activity. OFFSET 0 makes PostgreSQL
# look up activities one by one until the page is full; it might otherwise read and sort all.
_LOOKED_UP = """
    CROSS JOIN LATERAL (SELECT * FROM activities WHERE id = l.activity_id OFFSET 0) a
"""
# Series, which may have begun longer ago than the longest activity without sessions lasts. Those
# that have not ended are few; the index has no others.
_RUNNING = """
SELECT a.* FROM activities a
WHERE a.sessions > 0 AND a.status = ANY(CAST(:statuses AS text[])) AND a.ends_at > :ends_after
  AND (a.starts_at, a.id) > (:start, :activity) AND a.starts_at < :since
  AND a.org_path ^@ :path AND a.category = coalesce(CAST(:category AS text), a.category)
  AND (CAST(:tag AS text) IS NULL OR :tag = ANY(string_to_array(a.tags, E'\\n')))
  {matches}
ORDER BY a.starts_at, a.id LIMIT :limit
"""
_MATCHES = """
      AND NOT EXISTS (
          SELECT FROM unnest(CAST(:terms AS text[])) AS t(term)
          WHERE strpos((SELECT x.text FROM activity_texts x WHERE x.activity_id = a.id), term) = 0
      )
"""

# A range of the list for each status, merged.
_PAGE = f"""
SELECT a.* FROM unnest(CAST(:statuses AS text[])) AS s(status)
CROSS JOIN LATERAL (
    SELECT a.* FROM activity_lists l {_LOOKED_UP}
    WHERE l.list = :list AND l.status = s.status
      AND (l.starts_at, l.activity_id) > (:start, :activity)
      AND a.ends_at > :ends_after
      AND a.org_path ^@ :path AND a.category = coalesce(CAST(:category AS text), a.category)
      {{matches}}
    ORDER BY l.starts_at, l.activity_id LIMIT :limit
) a
ORDER BY a.starts_at, a.id LIMIT :limit
"""
_OF_LIST = select(Activity).from_statement(text(_PAGE.format(matches="")))
_RUNNING_SERIES = select(Activity).from_statement(text(_RUNNING.format(matches="")))
_RUNNING_MATCHING = select(Activity).from_statement(text(_RUNNING.format(matches=_MATCHES)))
_OF_LIST_MATCHING = select(Activity).from_statement(text(_PAGE.format(matches=_MATCHES)))
_OF_WORD = select(Activity).from_statement(
    text(f"""
SELECT a.* FROM activity_words l {_LOOKED_UP}
WHERE l.word = :word AND (l.starts_at, l.activity_id) > (:start, :activity)
  AND a.status = ANY(CAST(:statuses AS text[])) AND a.org_path ^@ :path
  AND a.ends_at > :ends_after AND a.category = coalesce(CAST(:category AS text), a.category)
  AND (CAST(:tag AS text) IS NULL OR :tag = ANY(string_to_array(a.tags, E'\\n')))
  {_MATCHES}
ORDER BY l.starts_at, l.activity_id LIMIT :limit
""")
)


async def insert(session: Session, activity: Activity) -> None:
    session.add(activity)
    await session.flush()
    await session.refresh(activity)


async def find(session: Session, activity_id: UUID) -> Activity | None:
    found = await session.exec(select(Activity).where(Activity.id == activity_id))
    return found.first()


async def lock(session: Session, activity_id: UUID) -> Activity | None:
    """Lock an activity. Check-ins under way have been counted then; sign-ups wait."""
    query = select(Activity).where(Activity.id == activity_id).with_for_update()
    return (await session.exec(query)).first()


async def save(session: Session, activity: Activity) -> None:
    """Write a locked activity's changed columns, as its next version."""
    activity.version += 1
    session.add(activity)
    await session.flush()


async def delete(session: Session, activity: Activity) -> None:
    await session.delete(activity)
    await session.flush()


async def publish(session: Session, activity_id: UUID) -> int | None:
    """Publish a draft; return its version, None if it is not a draft."""
    query = (
        update(Activity)
        .where(col(Activity.id) == activity_id, col(Activity.status) == ActivityStatus.draft)
        .values(status=ActivityStatus.published, version=col(Activity.version) + 1)
        .returning(col(Activity.version))
        .execution_options(synchronize_session=False)
    )
    version: int | None = (await session.execute(query)).scalar_one_or_none()
    return version


def has_part(activity: str, person: str) -> str:
    """Return the condition, as SQL, that a person has a part in organizing an activity.

    By any account of the person (docs/decisions/0036). ``activity``: an alias of activities.
    """
    return f"""
    EXISTS (
        SELECT FROM (SELECT {person} AS id UNION ALL
                     SELECT f.id FROM people f WHERE f.merged_into_id = {person}) own
        WHERE own.id = {activity}.created_by OR EXISTS (
            SELECT FROM activity_organizers h
            WHERE h.activity_id = {activity}.id AND h.person_id = own.id)
    )
    """


async def note_organizer(session: Session, activity_id: UUID, person_id: UUID) -> bool:
    """Note that a person organizes an activity; False if it is known already."""
    row = insert_row(ActivityOrganizer).values(activity_id=activity_id, person_id=person_id)
    statement = row.on_conflict_do_nothing().returning(col(ActivityOrganizer.person_id))
    return (await session.execute(statement)).first() is not None


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """Activities of a category, from a start on, with all words of ``q``.

    A ``q`` without a letter, digit or symbol has no words, and filters nothing. ``ends_after``:
    only those that have not ended then, but for longer ones than MAX_LENGTH without sessions.
    ``tag``: as ``normalize.tag`` spells it.
    """

    category: str | None = None
    starts_after: datetime | None = None
    q: str | None = None
    ends_after: datetime | None = None
    tag: str | None = None


async def page(
    session: Session,
    wanted: ActivityFilter,
    org_path: str | None,
    statuses: Sequence[ActivityStatus],
    after: tuple[Any, ...] | None,
    limit: int,
) -> list[Activity]:
    """Read activities of an organisation's subtree by start.

    The cost does not depend on the number of activities: see decisions 0013 and 0033; of those
    that have not ended it grows with the number of running series (0044).
    """
    path = org_path or EVERYWHERE
    suffix = f"#{wanted.tag}" if wanted.tag else wanted.category or ""
    earliest = (wanted.starts_after, LAST_ID) if wanted.starts_after else FIRST
    start, activity = from_start = max(after or FIRST, earliest)
    values: dict[str, Any] = {"statuses": list(statuses), "list": path + suffix, "path": path}
    values |= {"start": start, "activity": activity, "limit": limit, "tag": wanted.tag}
    values |= {"category": wanted.category, "ends_after": wanted.ends_after or FIRST[0]}
    found: list[Activity] = []
    if wanted.ends_after:
        since = wanted.ends_after - MAX_LENGTH
        if start < since:
            found = await _running(session, wanted, values | {"since": since})
        start, activity = max(from_start, (since, UUID(int=0)))
        values |= {"start": start, "activity": activity, "limit": limit - len(found)}
    if len(found) < limit:
        found += await _from(session, wanted, values)
    return found


async def _running(
    session: Session, wanted: ActivityFilter, values: dict[str, Any]
) -> list[Activity]:
    """Read the series that began before ``since`` and have not ended."""
    query = _RUNNING_SERIES
    if wanted.q:
        terms = (await session.execute(_TERMS, {"q": wanted.q})).scalar_one()
        if terms:
            values |= {"terms": terms}
            query = _RUNNING_MATCHING
    return list((await session.execute(query, values)).scalars())


async def _from(session: Session, wanted: ActivityFilter, values: dict[str, Any]) -> list[Activity]:
    """Read what begins after ``start``, by the list or by a word."""
    query = _OF_LIST
    if wanted.q:
        found = await session.execute(_SPARSEST, values | {"q": wanted.q, "reach": REACH})
        asked = found.one()
        if asked.terms:
            values |= {"terms": asked.terms, "word": asked.word}
            query = _OF_LIST_MATCHING if asked.word is None else _OF_WORD
    return list((await session.execute(query, values)).scalars())
