"""Activities as their readers see them: lists, details, and the caller's part in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.etag import TaggedBody, tag_of
from app.core.geo import distance_m
from app.core.language import Language, request_language
from app.core.paging import Page, PageParams, keyset
from app.core.validation_messages import invalid
from app.models.activities import Activity, ActivityStatus
from app.queries import activities as activity_queries
from app.queries import browsing as queries
from app.queries import orgs as org_queries
from app.queries.activities import ActivityFilter
from app.queries.browsing import Part
from app.schemas.base import ReasonOut
from app.schemas.browsing import (
    CATEGORY_NAMES,
    ActivitySort,
    BroughtOut,
    BrowsedActivityDetailOut,
    BrowsedActivityOut,
    ContactOut,
    OwnPartOut,
    OwnSignupOut,
)
from app.schemas.policies import EvidenceOut
from app.services import activities, checkins, orgs, people, signups
from app.services.activities import ActivityNotFound
from app.services.policies import history, rules, showing
from app.services.policies.history import PolicyHistory, PolicyMissing

# What everybody sees.
SHOWN = [ActivityStatus.published, ActivityStatus.closed, ActivityStatus.cancelled]
# By distance and by creation are sorted so many at most: the next ones by start.
SORTED = 200
# Above each distance in metres, and each number of microseconds since 1970 until 2200.
FARTHEST, LATEST_US = 2**40, 2**53

Row = Mapping[str, Any]
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

    In a fixed number of statements, but for drafts. Outcomes: TaggedBody, once for all queries
    with the same result, or ActivityNotFound.
    """
    at = now()
    found = await activity_queries.find_many(tx, sorted({query.activity_id for query in asked}))
    pairs = {(one.activity_id, one.caller) for one in asked if one.activity_id in found}
    beside = await _Beside.load(tx, at, list(found.values()), [(a, p) for a, p in pairs if p])
    contacts = await org_queries.contacts(tx, sorted({row["org_path"] for row in found.values()}))
    rendered: dict[ActivityQuery, TaggedBody] = {}
    outcomes: list[TaggedBody | Refusal] = []
    for query in asked:
        row = found.get(query.activity_id)
        if row is None or not await activities.may_see(tx, query.caller, row):
            outcomes.append(ActivityNotFound())
            continue
        if query not in rendered:
            seen = beside.to_out(row, query.caller, query.language)
            rendered[query] = _tagged(seen, contacts.get(row["org_path"]), beside.evidence(row))
        outcomes.append(rendered[query])
    return outcomes


def _tagged(
    activity: BrowsedActivityOut, contact: Row | None, evidence: list[EvidenceOut]
) -> TaggedBody:
    """Return the reply. Its tag begins with the version, so that If-Match may name either."""
    whom = None
    if contact is not None:
        whom = ContactOut(
            org_id=contact["id"],
            org_name=contact["name"],
            phone=contact["contact_phone"],
            note=contact["contact_note"],
        )
    detail = BrowsedActivityDetailOut.model_construct(
        **dict(activity), contact=whom, evidence=evidence
    )
    body = detail.model_dump_json().encode()
    return TaggedBody(f"{activity.version}-{tag_of(body)}", body)


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

    By distance or creation: of the next ``SORTED`` that have not ended. Raises OrgNotFound,
    Forbidden, Invalid (by distance without a position).
    """
    org_path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    statuses = [status] if status else SHOWN
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
    beside = await _Beside.load(tx, at, rows, [(row["id"], caller) for row in rows if caller])
    language = request_language()
    return [
        (key, beside.to_out(row, caller, language, position))
        for (key, _), row in zip(found, rows, strict=True)
    ]


def _rank(activity: Activity, order: Order) -> int:
    if order.sort is ActivitySort.newest:
        return LATEST_US - int(activity.created_at.timestamp() * 1_000_000)
    distance = _distance(activity.model_dump(), order.position)
    return FARTHEST if distance is None else distance


def _distance(row: Row, position: Position | None) -> int | None:
    if position is None or row["latitude"] is None or row["longitude"] is None:
        return None
    return round(distance_m(position, (row["latitude"], row["longitude"])))


@dataclass(frozen=True, slots=True)
class _Beside:
    """What is shown beside the columns of some activities, read at once."""

    at: datetime
    published: PolicyHistory
    parts: dict[tuple[UUID, UUID], Part]
    brought: dict[tuple[str, str], rules.PointsPolicy | None]

    @classmethod
    async def load(
        cls, tx: Session, at: datetime, rows: Sequence[Row], pairs: Sequence[tuple[UUID, UUID]]
    ) -> "_Beside":
        published = await history.load(tx)
        places = {(row["org_path"], row["rule_key"]) for row in rows}
        policies = {place: _announced(published, at, place) for place in places}
        return cls(at, published, await queries.parts(tx, pairs), policies)

    def to_out(
        self,
        row: Row,
        caller: UUID | None,
        language: Language,
        position: Position | None = None,
    ) -> BrowsedActivityOut:
        """Build from a row of ``activities`` with ``org_name``."""
        mine = self._mine(row, self.parts[row["id"], caller], language) if caller else None
        beside = {
            "category_name": CATEGORY_NAMES[row["category"]].said(language),
            "brings": self._brings(row),
            "checkin_opens_at": row["starts_at"] - checkins.OPENS_BEFORE_START,
            "checkin_closes_at": row["ends_at"] + checkins.CLOSES_AFTER_END,
            "distance_m": _distance(row, position),
            "mine": mine,
        }
        return BrowsedActivityOut.of_columns({**row, **beside})

    def _brings(self, row: Row) -> BroughtOut | None:
        policy = self.brought[row["org_path"], row["rule_key"]]
        if policy is None:
            return None
        rule = policy.document.rules[row["rule_key"]]
        span = rules.attended(row["starts_at"], row["starts_at"], row["ends_at"])
        halves = rules.half_hours(span.length)
        return BroughtOut(
            rule_name=rule.name,
            per=rule.per,
            points=rules.points_for_attendance(rule, halves),
            minutes=rules.attendance_minutes(rule, halves),
        )

    def evidence(self, row: Row) -> list[EvidenceOut]:
        """Return what the rule of an activity asks for beside attendance."""
        policy = self.brought[row["org_path"], row["rule_key"]]
        if policy is None:
            return []
        rule = policy.document.rules[row["rule_key"]]
        demanded = rules.demanded(rule)
        asked = [one for one in rule.evidence if one.partition(">=")[0] in demanded]
        return showing.evidence_labels(policy.document, asked)

    def _mine(self, row: Row, part: Part, language: Language) -> OwnPartOut:
        signup, seats = None, signups.seats_of(row)
        refusal = signups.refusal(seats, self.at)
        if part.signup_id is not None:
            signup = OwnSignupOut.model_validate(
                {"id": part.signup_id, "status": part.status, "position": part.position}
            )
        may = signup is None and refusal is None
        return OwnPartOut(
            signup=signup,
            checked_in_at=part.checked_in_at,
            may_sign_up=may,
            would_wait=may and not signups.has_place(seats),
            reason=ReasonOut.of(refusal, language) if refusal and signup is None else None,
        )


def _announced(
    published: PolicyHistory, at: datetime, place: tuple[str, str]
) -> rules.PointsPolicy | None:
    try:
        return published.announced(at, *place)
    except PolicyMissing:
        return None
