"""Redemption days (集中兑换): what is on the shelves, slots, counters, substitutes, absences."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.models.base import Record, Timestamp, created_at_field, id_field, one_of

# Most of one day.
MOST_ITEMS, MOST_SLOTS, MOST_COUNTERS = 200, 50, 60


class DayState(StrEnum):
    draft = "draft"
    published = "published"
    closed = "closed"


class SubstitutionState(StrEnum):
    proposed = "proposed"
    accepted = "accepted"
    declined = "declined"


class RedemptionDay(Record, table=True):
    """A redemption day. Its orders are rows of ``redemptions`` with its id.

    Orders are taken from ``opens_at`` until ``closes_at`` and handed over from ``starts_at`` on.
    Orders that nobody collected end at ``walk_ins_at``; from then until ``ends_at`` what is left
    is for walk-ins. ``limit_per_person``: pieces of the whole day. ``settled_at``: when the
    absences were recorded. ``offline_until``: counters work without network, and orders end only
    then, so that hand-overs can be uploaded; what they hold is not for walk-ins.
    """

    __tablename__ = "redemption_days"
    __table_args__ = (
        CheckConstraint(one_of("state", DayState), name="state"),
        CheckConstraint(
            "opens_at < closes_at AND closes_at <= walk_ins_at"
            " AND starts_at < walk_ins_at AND walk_ins_at <= ends_at",
            name="times",
        ),
        CheckConstraint("limit_per_person > 0", name="limit"),
        CheckConstraint("offline_until >= ends_at", name="offline"),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed"),
        Index("ix_redemption_days_org", "org_id", "starts_at"),
        Index("ix_redemption_days_state", "state", "id"),
        Index(
            "ix_redemption_days_unsettled",
            "ends_at",
            postgresql_where=text("settled_at IS NULL AND state <> 'draft'"),
        ),
    )

    merchant_id: UUID = Field(foreign_key="merchants.id")
    title: str = Field(max_length=80)
    place: str = Field(max_length=100)
    opens_at: datetime = Field(sa_type=Timestamp)
    closes_at: datetime = Field(sa_type=Timestamp)
    starts_at: datetime = Field(sa_type=Timestamp)
    walk_ins_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    limit_per_person: int | None = None
    offline_until: datetime | None = Field(default=None, sa_type=Timestamp)
    state: str = Field(
        default=DayState.draft, max_length=20, sa_column_kwargs={"server_default": "draft"}
    )
    version: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    reminded_at: datetime | None = Field(default=None, sa_type=Timestamp)
    settled_at: datetime | None = Field(default=None, sa_type=Timestamp)
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class DayItem(SQLModel, table=True):
    """A reward on a shelf of a day. ``points``: the price of one piece, fixed at the publication.

    ``remaining`` = ``stock`` + movements - what is reserved and collected. ``counted``: the pieces
    that were left on the shelf when the day was closed.
    """

    __tablename__ = "redemption_day_items"
    __table_args__ = (
        CheckConstraint(
            "points > 0 AND stock >= 0 AND remaining >= 0 AND limit_per_person > 0", name="numbers"
        ),
        UniqueConstraint("day_id", "reward_id"),
    )

    id: UUID = id_field()
    day_id: UUID = Field(foreign_key="redemption_days.id", ondelete="CASCADE")
    reward_id: UUID = Field(foreign_key="rewards.id")
    shelf: str = Field(max_length=20)
    points: int
    stock: int
    remaining: int
    limit_per_person: int | None = None
    counted: int | None = None


class DaySlot(SQLModel, table=True):
    """A time in which ``capacity`` people may come; ``taken``: those with a live order for it."""

    __tablename__ = "redemption_day_slots"
    __table_args__ = (
        CheckConstraint("taken BETWEEN 0 AND capacity", name="taken"),
        CheckConstraint("starts_at < ends_at", name="times"),
        Index("ix_redemption_day_slots_day", "day_id", "starts_at"),
    )

    id: UUID = id_field()
    day_id: UUID = Field(foreign_key="redemption_days.id", ondelete="CASCADE")
    starts_at: datetime = Field(sa_type=Timestamp)
    ends_at: datetime = Field(sa_type=Timestamp)
    capacity: int
    taken: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})


class DayCounter(SQLModel, table=True):
    """A counter of a day, where the merchant's staff and its stewards hand over."""

    __tablename__ = "redemption_day_counters"
    __table_args__ = (UniqueConstraint("day_id", "name"),)

    id: UUID = id_field()
    day_id: UUID = Field(foreign_key="redemption_days.id", ondelete="CASCADE")
    name: str = Field(max_length=40)


class DaySteward(Record, table=True):
    """Somebody who hands over at a counter without being on the merchant's staff."""

    __tablename__ = "redemption_day_stewards"
    __table_args__ = (UniqueConstraint("day_id", "person_id"),)

    day_id: UUID = Field(foreign_key="redemption_days.id")
    counter_id: UUID = Field(foreign_key="redemption_day_counters.id")
    person_id: UUID = Field(foreign_key="people.id", index=True)


class DayMovement(Record, table=True):
    """Goods that came to a day (positive), or were lost or taken away (negative). Append-only."""

    __tablename__ = "redemption_day_movements"
    __table_args__ = (
        CheckConstraint("quantity <> 0", name="quantity"),
        Index("ix_redemption_day_movements_item", "item_id"),
    )

    item_id: UUID = Field(foreign_key="redemption_day_items.id")
    quantity: int
    reason: str = Field(max_length=200)


class Substitution(Record, table=True):
    """Another reward of the day, of the same or a lower price, proposed in place of an order.

    When the person accepts, the order is cancelled, and ``replaced_by`` is the new one.
    """

    __tablename__ = "redemption_substitutions"
    __table_args__ = (
        CheckConstraint(one_of("state", SubstitutionState), name="state"),
        CheckConstraint("(state = 'accepted') = (replaced_by IS NOT NULL)", name="accepted"),
        CheckConstraint("(state = 'proposed') = (decided_at IS NULL)", name="decided"),
        Index(
            "uq_redemption_substitutions_open",
            "redemption_id",
            unique=True,
            postgresql_where=text("state <> 'declined'"),
        ),
        Index("ix_redemption_substitutions_person", "person_id", "day_id"),
    )

    day_id: UUID = Field(foreign_key="redemption_days.id")
    redemption_id: UUID = Field(foreign_key="redemptions.id")
    person_id: UUID = Field(foreign_key="people.id")
    item_id: UUID = Field(foreign_key="redemption_day_items.id")
    points: int
    reason: str = Field(max_length=200)
    state: str = Field(
        default=SubstitutionState.proposed,
        max_length=20,
        sa_column_kwargs={"server_default": "proposed"},
    )
    decided_at: datetime | None = Field(default=None, sa_type=Timestamp)
    replaced_by: UUID | None = Field(default=None, foreign_key="redemptions.id", unique=True)


class DayAbsence(SQLModel, table=True):
    """Somebody with orders of a day who collected none of them.

    ``skips_next``: it completes the number of missed days after which the next one is skipped.
    """

    __tablename__ = "redemption_day_absences"
    __table_args__ = (Index("ix_redemption_day_absences_person", "person_id"),)

    day_id: UUID = Field(primary_key=True, foreign_key="redemption_days.id")
    person_id: UUID = Field(primary_key=True, foreign_key="people.id")
    skips_next: bool
    created_at: datetime = created_at_field()
