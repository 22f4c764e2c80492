"""Terms of sign-up: whether an activity takes a sign-up, whoever asks."""

from datetime import datetime, timedelta

from app.core.clock import now
from app.core.errors import Refusal
from app.core.language import Bilingual
from app.models.activities import ActivityStatus, SignupFor
from app.services.activities import ActivityNotFound, ActivityNotOpen
from app.services.eligibility import NotEligible
from app.services.shift_holds import ShiftClash
from app.services.signup_pauses import SignupsPaused
from app.services.waiting_lists import Room


class SignupsClosed(Refusal):
    code, status, title = "signups.closed", 409, "Sign-up closed"
    zh, en = "不在报名时间内", "Sign-up is not open at this time."
    fact_names = ("opens_at", "closes_at")

    def sentence(self) -> Bilingual:
        if now() >= self.facts["closes_at"]:
            return Bilingual("报名已截止", "Sign-up is over.")
        return Bilingual("报名尚未开始", "Sign-up is not open yet.")


class SignupNotNeeded(Refusal):
    code, status, title = "signups.not_needed", 409, "No sign-up needed"
    zh, en = "本活动无需报名，直接到场签到", "No sign-up is needed: come and check in."


class SessionUnknown(Refusal):
    """``signup_for``: what people sign up for. For single sessions, one of them is to be named."""

    code, status, title = "signups.session_unknown", 409, "Which session"
    zh, en = "请选择本活动的场次", "Name a session of the activity."
    fact_names = ("signup_for",)

    def sentence(self) -> Bilingual:
        if self.facts["signup_for"] == SignupFor.session:
            return Bilingual(self.zh, self.en)
        return Bilingual("本活动不分场次报名", "People sign up to this activity as a whole.")


class TooManyFriends(Refusal):
    code, status, title = "signups.too_many_friends", 409, "Too many friends"
    zh, en = "同行人数超过限制", "You may not bring so many friends."
    fact_names = ("limit",)


class OnlyChildren(Refusal):
    code, status, title = "signups.only_children", 409, "For children alone"
    zh, en = "该活动为未成年人课堂，请监护人为孩子报名", "Guardians sign up their children to this."


class NotAClass(Refusal):
    code, status, title = "classes.not_a_class", 409, "Not a class"
    zh, en = "该活动不是未成年人课堂", "This activity is no class for minors."


class AnswersMissing(Refusal):
    code, status, title = "signups.answers_missing", 409, "Questions unanswered"
    zh, en = "请先填写报名表", "Answer the questions of the sign-up form first."


# What a sign-up may be refused with.
REFUSALS: tuple[type[Refusal], ...] = (
    ActivityNotFound,
    ActivityNotOpen,
    SignupNotNeeded,
    SignupsClosed,
    SessionUnknown,
    TooManyFriends,
    SignupsPaused,
    NotEligible,
    AnswersMissing,
    OnlyChildren,
    ShiftClash,
)


def refusal(room: Room | None, at: datetime) -> Refusal | None:
    """Return what every new sign-up to a whole activity is refused with; None if none is."""
    if room is None or room.seats.status == ActivityStatus.draft:
        return ActivityNotFound()
    seats = room.seats
    if seats.status != ActivityStatus.published or at >= seats.ends_at:
        return ActivityNotOpen(status=seats.status, ends_at=seats.ends_at)
    if seats.signup_for == SignupFor.nothing:
        return SignupNotNeeded()
    closes_at = seats.signup_closes_at
    if room.session is not None:
        closes_at = min(closes_at, room.session.starts_at)
    if not seats.signup_opens_at <= at < closes_at:
        # A session may have begun before sign-up to the activity was opened.
        opens_at = min(seats.signup_opens_at, closes_at)
        return SignupsClosed(opens_at=opens_at, closes_at=closes_at)
    return None


def wrong_session(room: Room, session: int) -> Refusal | None:
    """Return what a sign-up is refused with that names no session, or one that is not there."""
    by_session = room.seats.signup_for == SignupFor.session
    if by_session == bool(session) and by_session == (room.session is not None):
        return None
    return SessionUnknown(signup_for=room.seats.signup_for)


def too_many_friends(room: Room, friends: int) -> Refusal | None:
    """Return what a sign-up is refused with whose friends are too many for the terms or places."""
    capacities = [part.capacity - 1 for part in room.parts if part.capacity is not None]
    most = min([room.terms.friends, *capacities])
    return TooManyFriends(limit=most) if friends > most else None


def cancels_until(room: Room, *, own: bool) -> datetime:
    """Return until when a place can be given back; by an organizer (not ``own``) until the start.

    Afterwards it would hide an absence, and promote somebody who cannot come any more.
    """
    minutes = room.terms.cancel_until_minutes if own else 0
    return room.own.starts_at - timedelta(minutes=minutes)
