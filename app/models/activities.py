"""Activities: residents sign up to them and check in."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Identity, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from app.models.base import Timestamp, created_at_field, id_field, one_of


class Category(StrEnum):
    """The ten kinds of project of the 靖江 document (part 二.4)."""

    thought_guidance = "thought_guidance"
    culture = "culture"
    health = "health"
    employment = "employment"
    social_life = "social_life"
    rights_protection = "rights_protection"
    safety = "safety"
    social_practice = "social_practice"
    volunteer_service = "volunteer_service"
    property_affairs = "property_affairs"


class ActivityStatus(StrEnum):
    draft = "draft"
    published = "published"
    cancelled = "cancelled"
    closed = "closed"


class SignupFor(StrEnum):
    """What people sign up for: the activity as a whole, single sessions, or nothing (walk-in)."""

    activity = "activity"
    session = "session"
    nothing = "nothing"


class ActivityPhase(StrEnum):
    """What state and times together make of an activity, to its readers."""

    draft = "draft"
    published = "published"
    running = "running"
    ended = "ended"
    closed = "closed"
    cancelled = "cancelled"


MAX_LENGTH = timedelta(hours=24)
MAX_DISTANCE = timedelta(days=731)  # two years, one of them a leap year


class Activity(SQLModel, table=True):
    """The counters are columns, updated in the transaction that changes what they count.

    ``version`` counts edits and moves between states, not the counters: an editor names the one
    that was read (If-Match), and a check-in is repeated if it changes meanwhile (decision 0027).

    ``sessions``: how many rows of ``activity_sessions`` it has; it begins with the first of them
    and ends with the last. ``checks_out``: what it pays is paid with the check-out, for the time
    since the check-in. ``checkins`` and ``checkouts`` are summed over the sessions.
    ``last_session``: the last number that a session got; numbers are never reused. ``tags``:
    normalized words, each on a line; a trigger enlists the activity under each of them.
    ``minimum_attendance``: how many sessions somebody attends to have completed the series.

    ``signups_confirmed`` counts places: those of people, of the friends whom they bring, and those
    that are offered. ``counts_no_shows``: who had a place and did not come has points deducted, by
    a job that sets ``no_shows_settled_at``.

    ``poster_issue``: which of its posters is valid (``app.core.poster_codes``), from 1.

    ``before_limits``: made before lengths and distances were limited; set by a migration alone.
    A constraint that is NOT VALID would not do: it refuses every update of such a row, and each
    sign-up updates its counters.
    """

    __tablename__ = "activities"
    __table_args__ = (
        CheckConstraint(one_of("category", Category), name="category"),
        CheckConstraint(one_of("status", ActivityStatus), name="status"),
        CheckConstraint("starts_at < ends_at", name="times"),
        CheckConstraint(one_of("signup_for", SignupFor), name="signup_for"),
        CheckConstraint(
            "before_limits OR sessions > 0 OR ends_at - starts_at <= '24 hours'", name="length"
        ),
        CheckConstraint(
            "before_limits OR ends_at - created_at <= '731 days' "
            "AND created_at - starts_at <= '731 days'",
            name="distance",
        ),
        CheckConstraint("signup_opens_at < signup_closes_at", name="signup_times"),
        CheckConstraint("capacity > 0", name="capacity"),
        # Guards against oversold places if the service has a bug.
        CheckConstraint("signups_confirmed BETWEEN 0 AND capacity", name="seats"),
        CheckConstraint("signups_waitlisted >= 0 AND sessions >= 0", name="counters"),
        CheckConstraint("checkouts BETWEEN 0 AND checkins", name="inside"),
        CheckConstraint("poster_issue BETWEEN 1 AND 65535", name="poster_issue"),
        CheckConstraint("minimum_attendance BETWEEN 1 AND 400", name="minimum_attendance"),
        CheckConstraint("signup_terms IS JSON OBJECT", name="terms"),
        CheckConstraint("eligibility IS JSON OBJECT", name="eligibility"),
        CheckConstraint("(cancel_reason IS NOT NULL) <= (status = 'cancelled')", name="cancelled"),
        Index("ix_activities_checks_out", "ends_at", postgresql_where=text("checks_out")),
        Index(
            "ix_activities_unsettled",
            "ends_at",
            postgresql_where=text("counts_no_shows AND no_shows_settled_at IS NULL"),
        ),
        Index("ix_activities_cover", "cover_id", postgresql_where=text("cover_id IS NOT NULL")),
        # Series that have not ended, whenever they began.
        Index("ix_activities_series", "status", "ends_at", postgresql_where=text("sessions > 0")),
    )

    id: UUID = id_field()
    # The number in check-in codes (4 bytes).
    serial: int = Field(
        default=None, sa_column=Column(Integer, Identity(always=True), unique=True, nullable=False)
    )
    org_id: UUID = Field(foreign_key="orgs.id", index=True)
    org_path: str = Field(sa_column=Column(Text(collation="C"), nullable=False))
    title: str = Field(max_length=80)
    description: str = Field(max_length=5000)
    category: str = Field(max_length=30)
    status: str = Field(default=ActivityStatus.draft, max_length=20)
    starts_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    signup_opens_at: datetime = Field(sa_type=Timestamp)
    signup_closes_at: datetime = Field(sa_type=Timestamp)
    capacity: int | None = None
    rule_key: str = Field(max_length=40)
    location_name: str | None = Field(default=None, max_length=100)
    latitude: float | None = None  # GCJ-02, as WeChat's map picker returns it
    longitude: float | None = None
    radius_m: int | None = None
    signups_confirmed: int = 0
    signups_waitlisted: int = 0
    # Last number given in the waiting list. Numbers are never reused, so the order is stable.
    last_queue_number: int = 0
    checkins: int = 0
    checkouts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    sessions: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    last_session: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    minimum_attendance: int | None = None
    tags: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    signup_for: str = Field(
        default=SignupFor.activity,
        max_length=20,
        sa_column_kwargs={"server_default": text("'activity'")},
    )
    # JSON of the fields of SignupTermsIn and EligibilityIn that differ from their defaults; null:
    # none. As text, not JSONB: nothing queries inside, and the text is the key of what was parsed.
    signup_terms: str | None = Field(default=None, sa_type=Text)
    eligibility: str | None = Field(default=None, sa_type=Text)
    counts_no_shows: bool = Field(default=True, sa_column_kwargs={"server_default": text("true")})
    no_shows_settled_at: datetime | None = Field(default=None, sa_type=Timestamp)
    checks_out: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    poster_issue: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    # A class: children alone sign up, and leave by a hand-over (decision 0047).
    for_minors: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    before_limits: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    cancel_reason: str | None = Field(default=None, max_length=200)
    cover_id: UUID | None = Field(default=None, foreign_key="attachments.id", ondelete="SET NULL")
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    created_by: UUID = Field(foreign_key="people.id")
    created_at: datetime = created_at_field()


class ActivityOrganizer(SQLModel, table=True):
    """Who published an activity, edited it, showed its code, or ever was a co-organizer.

    Who drafted it, ``created_by`` says. Rows are deleted with a draft alone.

    Points by a check-in of theirs wait for another organizer.
    """

    __tablename__ = "activity_organizers"

    activity_id: UUID = Field(primary_key=True, foreign_key="activities.id", ondelete="CASCADE")
    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    created_at: datetime = created_at_field()


class Listed(SQLModel, table=True):
    """An activity's entry in one of its lists, each ordered by start.

    ``list`` is the path of the organisation or of one above it, up to ``/`` (all activities),
    alone, followed by the category, and by ``#`` and each tag. A trigger on ``activities`` writes
    the rows: the service's role may only read them. See decision 0013.
    """

    __tablename__ = "activity_lists"

    list: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    status: str = Field(max_length=20, primary_key=True)
    starts_at: datetime = Field(sa_type=Timestamp, primary_key=True)
    activity_id: UUID = Field(
        primary_key=True, foreign_key="activities.id", ondelete="CASCADE", index=True
    )


class ActivityText(SQLModel, table=True):
    """What an activity is found by: its words, folded, each between spaces (decision 0033).

    Of title, place, organisation and description. Triggers write these rows and ``ActivityWord``.
    """

    __tablename__ = "activity_texts"

    activity_id: UUID = Field(primary_key=True, foreign_key="activities.id", ondelete="CASCADE")
    text: str = Field(sa_type=Text)


class ActivityWord(SQLModel, table=True):
    """An activity's entry under one of its words, each ordered by start.

    ``word`` is the beginning of a word; of Chinese each character and each bigram.
    """

    __tablename__ = "activity_words"

    word: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    starts_at: datetime = Field(sa_type=Timestamp, primary_key=True)
    activity_id: UUID = Field(
        primary_key=True, foreign_key="activities.id", ondelete="CASCADE", index=True
    )
