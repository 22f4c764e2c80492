"""Offline codes: what a resident shows where there is no network (decision 0042)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.core import base64url
from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.offline_codes import STEP_SECONDS, OfflineCodes
from app.models.activities import Activity, ActivityStatus
from app.models.cards import SHOWN_DIGITS, card_number
from app.models.checkins import CLOSES_AFTER_END, OPENS_BEFORE_START
from app.queries import activities as activity_queries
from app.queries import rosters as roster_queries
from app.queries import sessions as session_queries
from app.schemas.offline_codes import (
    OfflineCodeOut,
    OfflineCodesOut,
    OfflineKeyOut,
    OfflineKeysOut,
)
from app.services import activities, session_numbers, signups
from app.services.activities import ActivityNotFound, ActivityNotOpen

# Phones and devices are prepared this long before the start. The keys of codes are published for
# longer (``OfflineCodes.public_keys``).
PREPARED_BEFORE = timedelta(days=7)
# Of an activity of 24 hours and the half hours around it. Older ones may be longer.
MOST = 301


class OfflineTooEarly(Refusal):
    code, status, title = "offline_codes.too_early", 409, "Too early"
    zh, en = (
        "离线签到的准备工作在活动开始前 7 天内进行",
        "Offline check-in is prepared within the 7 days before the start.",
    )
    fact_names = ("opens_at",)


@dataclass(frozen=True, slots=True)
class Window:
    """When people check in to a session."""

    session: int
    opens_at: datetime
    closes_at: datetime


async def window(
    tx: Session, activity: Activity, session: int | None, at: datetime, person: UUID | None = None
) -> Window:
    """Return the window of a session that can be prepared for at a time.

    ``session``: None: the one that runs or the next, for which the person has a place, if one is
    given. Raises SessionNotFound, ActivityNotOpen, OfflineTooEarly.
    """
    if session is None:
        session = await session_queries.next_number(tx, activity, at - CLOSES_AFTER_END, person)
    starts_at, ends_at = await session_numbers.span(tx, activity, session)
    found = Window(session, starts_at - OPENS_BEFORE_START, ends_at + CLOSES_AFTER_END)
    if activity.status != ActivityStatus.published or at > found.closes_at:
        raise ActivityNotOpen(status=activity.status, starts_at=starts_at, ends_at=ends_at)
    opens_at = starts_at - PREPARED_BEFORE
    if at < opens_at:
        raise OfflineTooEarly(opens_at=opens_at)
    return found


async def mine(
    tx: Session, codes: OfflineCodes, caller: UUID, activity_id: UUID, session: int | None
) -> OfflineCodesOut:
    """Return the codes of a person who has a confirmed place, from now on.

    Raises ActivityNotFound, NotSignedUp, and what ``window`` raises.
    """
    activity = await activity_queries.find(tx, activity_id)
    if activity is None or not await activities.may_see(tx, caller, activity):
        raise ActivityNotFound
    at = now()
    found = await window(tx, activity, session, at, caller)
    card = await roster_queries.card_of(tx, activity, found.session, caller)
    if card is None:
        raise (await signups.placeless(tx, [(activity.id, caller)]))[caller]
    digits = card_number(card)[-SHOWN_DIGITS:]
    first = _step(max(at - timedelta(seconds=STEP_SECONDS), found.opens_at))
    steps = range(first, _step(found.closes_at) + 1)[:MOST]
    return OfflineCodesOut(
        activity_serial=activity.serial,
        session=found.session,
        opens_at=found.opens_at,
        closes_at=found.closes_at,
        codes=[
            OfflineCodeOut(
                code=codes.make(card, digits, activity.serial, found.session, step),
                starts_at=_moment(step),
                ends_at=_moment(step + 1),
            )
            for step in steps
        ],
    )


def public_keys(codes: OfflineCodes) -> OfflineKeysOut:
    """Return the keys that verify codes of these 30 days and the next 30."""
    return OfflineKeysOut(
        keys=[
            OfflineKeyOut(
                id=one.id,
                public_key=base64url.encode(one.public_key),
                starts_at=datetime.fromtimestamp(one.starts, UTC),
                ends_at=datetime.fromtimestamp(one.ends, UTC),
            )
            for one in codes.public_keys(now().timestamp())
        ]
    )


def _step(at: datetime) -> int:
    return int(at.timestamp()) // STEP_SECONDS


def _moment(step: int) -> datetime:
    return datetime.fromtimestamp(step * STEP_SECONDS, UTC)
