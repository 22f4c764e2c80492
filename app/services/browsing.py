"""Activities as their readers see them: lists, details, and the caller's part in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from app.core.clock import now
from app.core.db import Row, Session
from app.core.errors import Refusal
from app.core.etag import TaggedBody, tag_of
from app.core.geo import distance_m
from app.core.language import Language, named, request_language, speaking
from app.core.paging import Page, PageParams, keyset
from app.core.validation_messages import invalid
from app.models.activities import Activity, ActivityPhase, ActivityStatus, Category
from app.models.checkins import CLOSES_AFTER_END, OPENS_BEFORE_START
from app.queries import activities as activity_queries
from app.queries import browsing as queries
from app.queries import orgs as org_queries
from app.queries.activities import ActivityFilter
from app.queries.browsing import Part
from app.schemas.activities import phase_of
from app.schemas.browsing import (
    CATEGORY_NAMES,
    ActivitySort,
    BroughtOut,
    BrowsedActivityDetailOut,
    BrowsedActivityOut,
    ContactOut,
)
from app.schemas.own_parts import OwnPartOut
from app.schemas.policies.showing import EvidenceOut
from app.services import activities, orgs, own_parts, people
from app.services.activities import ActivityNotFound
from app.services.policies import history, rules, showing
from app.services.policies.history import PolicyHistory, PolicyMissing

# What everybody sees.
SHOWN = [ActivityStatus.published, ActivityStatus.closed, ActivityStatus.cancelled]
# What is still to take place, or under way.
COMING = [ActivityStatus.published]
# By distance and by creation are sorted so many at most: the next ones by start.
SORTED = 200
# Above each distance in metres, and each number of microseconds since 1970 until 2200.
FARTHEST, LATEST_US = 2**40, 2**53
# How many rendered activities a process keeps, at most some 30 KB each.
RENDERED = 256
_MINE_OF_NOBODY = b'"mine":null'

Columns = Mapping[str, Any]  # a row of ``activities``, with ``org_name``
Position = tuple[float, float]  # latitude and longitude, degrees of GCJ-02


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """Arguments of one read. ``caller`` is None for anonymous callers."""

    activity_id: UUID
    caller: UUID | None
    language: Language = "zh-CN"


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list. ``position``: where the caller is."""

    sort: ActivitySort = ActivitySort.start
    position: Position | None = None


async def read(tx: Session, asked: Sequence[ActivityQuery]) -> list[TaggedBody | Refusal]:
    """Return a ``BrowsedActivityDetailOut`` for each query; a draft only to its readers.

    In two statements, but for drafts and eligibility. Outcomes: TaggedBody, once for all queries
    with the same result, or ActivityNotFound.
    """
    at = now()
    found, newest = await queries.shown(tx, sorted({query.activity_id for query in asked}))
    pairs = {(one.activity_id, one.caller) for one in asked if one.activity_id in found}
    parts = await queries.parts(
        tx, [(activity, caller) for activity, caller in pairs if caller], at
    )
    awards = _awards(await history.load(tx, newest), at, list(found.values()))
    barred = await own_parts.barred(tx, list(found.values()), parts)
    rendered: dict[tuple[UUID, Language, Part | None, str], TaggedBody] = {}
    outcomes: list[TaggedBody | Refusal] = []
    for query in asked:
        row = found.get(query.activity_id)
        if row is None or not await activities.may_see(tx, query.caller, row):
            outcomes.append(ActivityNotFound())
            continue
        part = parts[row["id"], query.caller] if query.caller else None
        bar = barred.get((query.caller, row["id"])) if query.caller else None
        key = (query.activity_id, query.language, part, str(bar and bar.facts))
        if key not in rendered:
            mine = own_parts.of(row, at, part, bar, query.language) if part else None
            rest = _but_mine(row, awards[row["id"]], phase_of(row, at), query.language)
            rendered[key] = _reply(row, rest, mine)
        outcomes.append(rendered[key])
    return outcomes


@lru_cache(maxsize=RENDERED)
def _but_mine(row: Row, award: "_Award", phase: ActivityPhase, language: Language) -> list[bytes]:
    """Return the JSON of an activity before and after the value of ``mine``.

    Depends on nothing but its arguments; the row, with all its values, is one of them.
    """
    contact = None
    if row["contact_org_id"] is not None:
        contact = ContactOut(
            org_id=row["contact_org_id"],
            org_name=row["contact_org_name"],
            phone=row["contact_phone"],
            note=row["contact_note"],
        )
    with speaking(language):
        beside = dict(_to_out(row, award.brings, None)) | {"phase": phase}
        shown = BrowsedActivityDetailOut.model_construct(
            **beside, contact=contact, evidence=list(award.evidence)
        )
        parts = shown.model_dump_json().encode().split(_MINE_OF_NOBODY)
    assert len(parts) == 2, "no other object has a field mine"
    return parts


def _reply(row: Row, rest: Sequence[bytes], mine: OwnPartOut | None) -> TaggedBody:
    """Return the reply. Its tag begins with the version, so that If-Match may name either."""
    own = mine.model_dump_json().encode() if mine else b"null"
    body = (b'"mine":%b' % own).join(rest)
    return TaggedBody(f"{row['version']}-{tag_of(body)}", body)


async def browse(
    tx: Session,
    caller: UUID | None,
    wanted: ActivityFilter,
    org_id: UUID | None,
    status: ActivityStatus | None,
    asked: PageParams,
    order: Order = Order(),
) -> Page[BrowsedActivityOut]:
    """Return activities; drafts only of an organisation that the caller organizes.

    Of those that have not ended (``ends_after``), without ``status``, only published ones. By
    distance or creation: of the next ``SORTED`` that have not ended. Raises OrgNotFound, Forbidden,
    Invalid (by distance without a position).
    """
    org_path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    statuses = [status] if status else COMING if wanted.ends_after else SHOWN
    if status is ActivityStatus.draft:
        if caller is None or org_path is None:
            raise people.Forbidden
        await people.require_role(tx, caller, people.READERS, org_path)
    if order.sort is ActivitySort.distance and order.position is None:
        raise invalid("query.lat", "按距离排序需要位置", "sorting by distance needs a position")
    at = now()

    async def page(
        narrowed: ActivityFilter, after: tuple[Any, ...] | None, limit: int
    ) -> list[Activity]:
        return await activity_queries.page(tx, narrowed, org_path, statuses, after, limit)

    async def by_start(after: tuple[Any, ...] | None, limit: int) -> Sequence[Ranked]:
        found = await page(wanted, after, limit)
        return await _shown(
            tx, at, caller, [((one.starts_at,), one) for one in found], order.position
        )

    async def by_rank(after: tuple[Any, ...] | None, limit: int) -> Sequence[Ranked]:
        since, *last = after or (at,)
        found = await page(replace(wanted, ends_after=since), None, SORTED)
        ranked = sorted((_rank(one, order), one.id, one) for one in found)
        rest = [one for one in ranked if not last or [*one[:2]] > last][:limit]
        keyed = [((since, rank), activity) for rank, _, activity in rest]
        return await _shown(tx, at, caller, keyed, order.position)

    is_by_start = order.sort is ActivitySort.start
    return await keyset(
        asked,
        (datetime, UUID) if is_by_start else (datetime, int, UUID),
        by_start if is_by_start else by_rank,
        lambda one: one[1],
        lambda one: (*one[0], one[1].id),
    )


# What an activity is sorted by, but for its id.
Ranked = tuple[tuple[Any, ...], BrowsedActivityOut]


async def coming(
    tx: Session, category: Category | None, q: str, asked: PageParams
) -> Page[BrowsedActivityOut]:
    """Return what is still to take place, or under way, the earliest start first."""
    wanted = ActivityFilter(category, q=q, ends_after=now())
    return await browse(tx, None, wanted, None, None, asked)


async def _shown(
    tx: Session,
    at: datetime,
    caller: UUID | None,
    found: Sequence[tuple[tuple[Any, ...], Activity]],
    position: Position | None,
) -> Sequence[Ranked]:
    rows = [one.model_dump() for _, one in found]
    names = await org_queries.names_of(tx, sorted({row["org_id"] for row in rows}))
    rows = [row | {"org_name": names[row["org_id"]][1]} for row in rows]
    parts = await queries.parts(tx, [(row["id"], caller) for row in rows if caller], at)
    barred = await own_parts.barred(tx, rows, parts)
    awards = _awards(await history.load(tx), at, rows)
    language = request_language()

    def shown(row: Columns) -> BrowsedActivityOut:
        mine = None
        if caller:
            bar = barred.get((caller, row["id"]))
            mine = own_parts.of(row, at, parts[row["id"], caller], bar, language)
        return _to_out(row, awards[row["id"]].brings, mine, position)

    return [(key, shown(row)) for (key, _), row in zip(found, rows, strict=True)]


def _rank(activity: Activity, order: Order) -> int:
    if order.sort is ActivitySort.newest:
        return LATEST_US - int(activity.created_at.timestamp() * 1_000_000)
    distance = _distance(activity.model_dump(), order.position)
    return FARTHEST if distance is None else distance


def _distance(row: Columns, position: Position | None) -> int | None:
    if position is None or row["latitude"] is None or row["longitude"] is None:
        return None
    return round(distance_m(position, (row["latitude"], row["longitude"])))


def _to_out(
    row: Columns,
    brings: BroughtOut | None,
    mine: OwnPartOut | None,
    position: Position | None = None,
) -> BrowsedActivityOut:
    """Build from a row of ``activities`` with ``org_name``, in the language of the request."""
    beside = {
        "category_name": CATEGORY_NAMES[row["category"]].said(),
        "brings": brings,
        "checkin_opens_at": row["starts_at"] - OPENS_BEFORE_START,
        "checkin_closes_at": row["ends_at"] + CLOSES_AFTER_END,
        "distance_m": _distance(row, position),
        "mine": mine,
    }
    return BrowsedActivityOut.of_columns({**row, **beside})


class _Award(NamedTuple):
    """What attendance brings, and what the organizer hands in for it."""

    brings: BroughtOut | None
    evidence: tuple[EvidenceOut, ...]


def _awards(published: PolicyHistory, at: datetime, rows: Sequence[Columns]) -> dict[UUID, _Award]:
    """Return the award of each activity, by its id."""
    places = {(row["org_path"], row["rule_key"]) for row in rows}
    policies = {place: _announced(published, at, place) for place in places}
    return {row["id"]: _award(row, policies[row["org_path"], row["rule_key"]]) for row in rows}


def _announced(
    published: PolicyHistory, at: datetime, place: tuple[str, str]
) -> rules.PointsPolicy | None:
    try:
        return published.announced(at, *place)
    except PolicyMissing:
        return None


def _award(row: Columns, policy: rules.PointsPolicy | None) -> _Award:
    if policy is None:
        return _Award(None, ())
    rule = policy.document.rules[row["rule_key"]]
    span = rules.attended(row["starts_at"], row["starts_at"], row["ends_at"])
    # Of an activity with sessions, which differ: what an hour brings.
    halves = 2 if row["sessions"] else rules.half_hours(span.length)
    brings = BroughtOut(
        rule_name=named(rule.name, rule.name_en),
        per=rule.per,
        points=rules.points_for_attendance(rule, halves),
        minutes=rules.attendance_minutes(rule, halves),
    )
    asked = [one for one in rule.evidence if one.partition(">=")[0] in rules.demanded(rule)]
    shown = None if row["sessions"] and rules.by_time(rule) else brings
    return _Award(shown, tuple(showing.evidence_labels(policy.document, asked)))
