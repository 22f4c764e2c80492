"""API schemas of activities."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from annotated_types import MaxLen
from pydantic import AfterValidator, Field, model_validator

from app.core import normalize
from app.core.clock import now
from app.core.validation_messages import wrong
from app.models.activities import Activity, ActivityPhase, ActivityStatus, Category, SignupFor
from app.models.activity_templates import ActivityTemplate
from app.schemas.attachments import PATH as ATTACHMENTS
from app.schemas.base import STREET, Flag, In, Moment, Number, OneLine, OrgId, Out, Text, example
from app.schemas.eligibility import EVERYBODY, EligibilityIn, EligibilityOut, eligibility_of
from app.schemas.signup_terms import DEFAULT, SignupTermsIn, SignupTermsOut, stored, terms_of

VALUES: dict[Any, Any] = {
    ActivityPhase: {
        ActivityPhase.draft: ("草稿", "draft"),
        ActivityPhase.published: ("已发布", "published"),
        ActivityPhase.running: ("进行中", "running"),
        ActivityPhase.ended: ("已到结束时间", "ended"),
        ActivityPhase.closed: ("已结束", "closed"),
        ActivityPhase.cancelled: ("已取消", "cancelled"),
    },
    ActivityStatus: {
        ActivityStatus.draft: ("草稿", "draft"),
        ActivityStatus.published: ("已发布", "published"),
        ActivityStatus.cancelled: ("已取消", "cancelled"),
        ActivityStatus.closed: ("已结束", "closed"),
    },
    SignupFor: {
        SignupFor.activity: ("整个活动", "the activity"),
        SignupFor.session: ("单个场次", "single sessions"),
        SignupFor.nothing: ("无需报名", "nothing"),
    },
}
MAX_TAG = 20
Tag = Annotated[str, OneLine(MAX_TAG), AfterValidator(normalize.tag), MaxLen(MAX_TAG)]


def phase_of(row: Mapping[str, Any], at: datetime) -> ActivityPhase:
    """Return the phase at a moment: of what is published, by its times."""
    if row["status"] != ActivityStatus.published or at < row["starts_at"]:
        return ActivityPhase(row["status"])
    return ActivityPhase.running if at < row["ends_at"] else ActivityPhase.ended


class LocationIn(In):
    """A location in GCJ-02 degrees, as WeChat's map picker returns it; ``radius_m`` in metres."""

    name: Annotated[str, OneLine(100)] = Field(description="What the place is called.")
    latitude: Annotated[Number, Field(ge=-90, le=90)] = Field(description="Degrees north, GCJ-02.")
    longitude: Annotated[Number, Field(ge=-180, le=180)] = Field(
        description="Degrees east, GCJ-02."
    )
    radius_m: Annotated[int, Field(ge=10, le=100_000)] = Field(
        default=200, description="How far from the point the place reaches, in metres."
    )


class LocationOut(Out):
    name: str = Field(description="What the place is called.")
    latitude: float = Field(description="Degrees north, GCJ-02.")
    longitude: float = Field(description="Degrees east, GCJ-02.")
    radius_m: int = Field(description="How far from the point the place reaches, in metres.")


def location_columns(place: LocationIn | None) -> dict[str, Any]:
    """Return the columns of a table that hold a location."""
    return {
        "location_name": place.name if place else None,
        "latitude": place.latitude if place else None,
        "longitude": place.longitude if place else None,
        "radius_m": place.radius_m if place else None,
    }


# The fields of a body that are stored as JSON, but for what is by default.
TERMS = ("signup_terms", "eligibility")


def terms_columns(content: "ActivityContent") -> dict[str, Any]:
    """Return the columns that hold the terms of sign-up and the eligibility."""
    return {name: stored(getattr(content, name)) for name in TERMS}


def location_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the fields of the location that columns of a row hold, None without one."""
    if row["location_name"] is None:
        return None
    names = ("latitude", "longitude", "radius_m")
    return {"name": row["location_name"]} | {name: row[name] for name in names}


class CoverOut(Out):
    """The picture of an activity that lists show: one of its attachments."""

    id: UUID = Field(description="Id of the attachment.")
    url: str = Field(description="Path of the picture.")
    thumbnail_url: str = Field(description="Path of a smaller one, 480 pixels at most.")


class Terms(In):
    """What people sign up for, and by what an activity is found; of templates too."""

    signup_for: SignupFor = Field(
        default=SignupFor.activity,
        description="What people sign up for: the activity, single sessions of it, or nothing.",
    )
    checks_out: Flag = Field(
        default=False,
        description="Whether people check out: by rules paid by time the time between is paid.",
    )
    tags: Annotated[list[Tag], Field(max_length=10)] = Field(
        default_factory=list, description="Words by which it is found, each of 20 characters."
    )
    minimum_attendance: Annotated[int, Field(ge=1, le=400, strict=True)] | None = Field(
        default=None, description="Sessions to attend to complete the series; null: no such number."
    )

    def terms(self) -> dict[str, Any]:
        """Return the columns of these fields."""
        tags = {"tags": "\n".join(dict.fromkeys(self.tags))}
        return {name: getattr(self, name) for name in Terms.model_fields} | tags


class ActivityContent(Terms):
    """What an activity offers, when and where."""

    title: Annotated[str, OneLine(80)] = Field(description="What the activity is called.")
    description: Annotated[Text, Field(max_length=5000)] = Field(
        default="", description="What happens there; plain text, lines allowed."
    )
    category: Category = Field(description="Kind of the activity.")
    starts_at: Moment = Field(description="When it begins, with its offset from UTC.")
    ends_at: Moment = Field(description="When it ends, with its offset from UTC.")
    signup_opens_at: Moment | None = Field(
        default=None, description="When sign-up opens; null: as the schema says."
    )
    signup_closes_at: Moment | None = Field(
        default=None, description="When sign-up closes; null: when the activity ends."
    )
    capacity: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = Field(
        default=None, description="Most people that can be confirmed; null: no limit."
    )
    rule_key: Annotated[Text, Field(min_length=1, max_length=40, examples=["volunteer_hour"])] = (
        Field(description="Key of the policy's rule by which attendance gives points.")
    )
    location: LocationIn | None = Field(
        default=None, description="Where it is; null: nowhere in particular."
    )
    signup_terms: SignupTermsIn = Field(
        default=DEFAULT, description="How places are given, kept and given back."
    )
    eligibility: EligibilityIn = Field(
        default=EVERYBODY, description="Who may sign up; by default everybody."
    )

    def columns(self) -> dict[str, Any]:
        """Return the columns of ``activities`` that it fills, but for the times of sign-up."""
        apart = {"org_id", "location", "signup_opens_at", "signup_closes_at", "waitlist_latest"}
        plain = self.model_dump(exclude=apart | {*TERMS})
        return plain | self.terms() | terms_columns(self) | location_columns(self.location)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.starts_at >= self.ends_at:
            raise wrong("开始时间应早于结束时间", "starts_at must lie before ends_at")
        opens, closes = self.signup_opens_at, self.signup_closes_at
        if closes is not None and closes > self.ends_at:
            raise wrong(
                "报名截止时间不能晚于活动结束时间", "signup_closes_at must not lie after ends_at"
            )
        if opens is not None and opens >= (closes or self.ends_at):
            raise wrong(
                "报名开始时间应早于报名截止时间", "signup_opens_at must lie before sign-up closes"
            )
        return self


class ActivityIn(
    ActivityContent,
    json_schema_extra=example(
        {
            "org_id": STREET,
            "title": "五四江堤清洁",
            "description": "带上手套，八点半在三茅青年之家集合。",
            "category": "volunteer_service",
            "starts_at": "2028-05-04T09:00:00+08:00",
            "ends_at": "2028-05-04T11:00:00+08:00",
            "capacity": 30,
            "rule_key": "volunteer_hour",
            "location": {
                "name": "三茅青年之家",
                "latitude": 32.2368,
                "longitude": 119.8267,
                "radius_m": 200,
            },
        }
    ),
):
    """By default sign-up is open from publication until the end of the activity."""

    org_id: OrgId
    for_minors: Flag = Field(
        default=False,
        description="A class: guardians sign up children, who leave by a hand-over. Fixed.",
    )


def content_of(row: Activity | ActivityTemplate, **others: Any) -> ActivityIn:
    """Return the content of a row for another activity. What is stored is not validated again."""
    columns = row.model_dump()
    same = {name: columns[name] for name in ("title", "description", "capacity", "rule_key")}
    same |= {name: columns[name] for name in ("checks_out", "minimum_attendance")}
    same |= {"signup_for": SignupFor(row.signup_for), "tags": row.tags.splitlines()}
    place = location_of(columns)
    return ActivityIn.model_construct(
        category=Category(row.category),
        location=LocationIn.model_construct(**place) if place else None,
        signup_terms=terms_of(columns.get("signup_terms")),
        eligibility=eligibility_of(columns.get("eligibility")),
        for_minors=columns.get("for_minors", False),
        **same,
        **others,
    )


class ActivityOut(Out):
    id: UUID = Field(description="Id of the activity.")
    org_id: UUID = Field(description="Id of the organisation that holds it.")
    title: str = Field(description="What the activity is called.")
    description: str = Field(description="What happens there; plain text.")
    category: Category = Field(description="Kind of the activity.")
    status: ActivityStatus = Field(description="State of the activity.")
    phase: ActivityPhase = Field(description="State and times together, when it was read.")
    starts_at: datetime = Field(description="When it begins, in UTC.")
    ends_at: datetime = Field(description="When it ends, in UTC.")
    signup_opens_at: datetime = Field(description="When sign-up opens, in UTC.")
    signup_closes_at: datetime = Field(description="When sign-up closes, in UTC.")
    capacity: int | None = Field(description="Most people that can be confirmed; null: no limit.")
    rule_key: str = Field(description="Key of the rule by which attendance gives points.")
    location: LocationOut | None = Field(description="Where it is; null: nowhere in particular.")
    signup_for: SignupFor = Field(
        description="What people sign up for: the activity, single sessions, or nothing."
    )
    signup_terms: SignupTermsOut = Field(description="How places are given and given back.")
    eligibility: EligibilityOut = Field(description="Who may sign up.")
    signups_confirmed: int = Field(
        description="Places that are taken: by people, by the friends whom they bring, and by"
        " offers that are open."
    )
    signups_waitlisted: int = Field(description="Sign-ups on the waiting list.")
    checkins: int = Field(description="Check-ins so far.")
    sessions: int = Field(description="How many sessions it has; 0: it is its own.")
    checks_out: bool = Field(description="Whether people check out too.")
    tags: list[str] = Field(description="Words by which it is found.")
    minimum_attendance: int | None = Field(
        description="Sessions to attend to complete the series; null: no such number."
    )
    for_minors: bool = Field(description="A class: children alone sign up, by their guardians.")
    cover: CoverOut | None = Field(description="Its picture; null without one.")
    cancel_reason: str | None = Field(description="Why it was cancelled; null if it was not.")
    version: int = Field(description="Counts edits: what `If-Match` of an edit names.")

    @classmethod
    def of(cls, activity: Activity) -> Self:
        return cls.of_columns(activity.model_dump())

    @classmethod
    def of_columns(cls, row: Mapping[str, Any]) -> Self:
        """Build from a row of ``activities``."""
        cover = row["cover_id"] and {
            "id": row["cover_id"],
            "url": f"{ATTACHMENTS}/{row['cover_id']}/file",
            "thumbnail_url": f"{ATTACHMENTS}/{row['cover_id']}/thumbnail",
        }
        nested = {
            "location": location_of(row),
            "cover": cover,
            "tags": row["tags"].splitlines(),
            "signup_terms": terms_of(row["signup_terms"]),
            "eligibility": eligibility_of(row["eligibility"]),
        }
        return cls.model_validate({"phase": phase_of(row, now()), **row, **nested})
