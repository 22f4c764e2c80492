"""Plans a reversal: arithmetic on values that were read under locks, without the database.

Pending and available points are taken back. Spent points become a debt of at most the policy's
``max_debt``. Goods already collected are not affected.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from app.models.awards import Award, AwardState
from app.models.ledger import Kind, Purpose
from app.services.awards.postings import hours_accounts, minutes_reversal, reversal_posting
from app.services.ledger.types import AccountKey, Posting


@dataclass(frozen=True, slots=True)
class Given:
    """What an award has given so far.

    ``fund`` is the account that paid the points, None without a payment. ``closes`` is the transfer
    that a reversal of the points settles: the release, else the award's own. ``has_hours``: the
    minutes of the award count. ``kept_id``: who has it now, if the award's person was merged.
    """

    fund: AccountKey | None
    closes: UUID
    has_hours: bool
    kept_id: UUID | None = None

    def owner_of(self, award: Award) -> UUID:
        """Return who has the points and hours of the award, unless they are pending."""
        return self.kept_id or award.person_id


@dataclass(frozen=True, slots=True)
class Holdings:
    """The person's points in the award's unit, while the accounts are locked.

    ``expired``: of the award's points. ``spent``: held or deducted points included. ``standing``:
    given by the other awards and not expired. ``owes`` and ``max_debt`` are not negative.
    """

    spendable: int = 0
    expired: int = 0
    spent: int = 0
    standing: int = 0
    owes: int = 0
    max_debt: int = 0


@dataclass(frozen=True, slots=True)
class Parts:
    """The sources of the points to reverse; they sum to these points.

    ``lost``: beyond the largest debt. ``expired``: had expired before the reversal.
    """

    pending: int = 0
    available: int = 0
    debt: int = 0
    lost: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class ReversalPlan:
    """The postings of a reversal. ``id`` is that of the first transfer, else the award's."""

    id: UUID
    parts: Parts
    postings: list[Posting]


def accounts(award: Award, given: Given) -> list[AccountKey]:
    """Return all accounts that a reversal may change."""
    hours = list(hours_accounts(award.org_id, given.owner_of(award))) if award.minutes else []
    if given.fund is None:
        return hours if given.has_hours else []
    available = available_of(award, given)
    return [given.fund, _owed_to(given.fund), _pending_of(award), available, available.debt, *hours]


def available_of(award: Award, given: Given) -> AccountKey:
    """Return the account in which the points of an award are spendable."""
    return AccountKey(given.owner_of(award), Purpose.available, award.unit_id)


def _pending_of(award: Award) -> AccountKey:
    return AccountKey(award.person_id, Purpose.pending, award.unit_id)


def plan(
    award: Award, given: Given, holdings: Holdings, reason: str, part: int | None = None
) -> ReversalPlan:
    """Plan to reverse a locked award: from pending points, then available, then as a debt.

    ``part``: so many of its points, fewer than are left. The hours stay then, and nothing is
    closed: more parts may follow.
    """
    parts = Parts()
    postings: list[Posting] = []
    if given.fund is not None:
        parts = _parts(award, holdings, award.points if part is None else part)
        postings = _of_points(award, given, given.fund, parts, reason)
    if part is not None:
        postings = [_of_part(award, given.closes, one) for one in postings]
    elif given.has_hours:
        postings.append(minutes_reversal(award, given.owner_of(award), reason))
    return ReversalPlan(postings[0].id if postings else award.id, parts, postings)


def _of_part(award: Award, closes: UUID, one: Posting) -> Posting:
    """Close nothing; what was reversed before tells the references of the parts apart."""
    reference = f"{one.reference}:{award.points_reversed}"
    return replace(one, closes_id=None, first_of=closes, reference=reference)


def _parts(award: Award, has: Holdings, points: int) -> Parts:
    if award.state != AwardState.available:
        return Parts(pending=points)
    living = max(award.points - has.expired, 0)  # expired points are gone already
    due = min(points, living)
    found = min(due, has.spendable)
    # The person owes at most the points spent in excess of all awards in force, including what is
    # left of this one, less what is owed already. Any further shortfall is not spent but expired:
    # when another award was reversed while its points were held, points of this award were taken
    # instead, and the points of the other award expired after their return.
    standing = has.standing + living - due
    short = min(due - found, max(has.spent - standing - has.owes, 0))
    owed = min(short, max(has.max_debt - has.owes, 0))
    return Parts(available=found, debt=owed, lost=short - owed, expired=points - found - short)


def _of_points(
    award: Award, given: Given, fund: AccountKey, parts: Parts, reason: str
) -> list[Posting]:
    """Return the postings of the parts; the first settles what the award gave."""
    available = available_of(award, given)
    moves = [
        (_pending_of(award), fund, parts.pending, Kind.reversal),
        (available, fund, parts.available, Kind.reversal),
        (available.debt, _owed_to(fund), parts.debt, Kind.clawback),
    ]
    postings: list[Posting] = []
    for payer, payee, amount, kind in moves:
        if amount:
            settles = None if postings else given.closes
            postings.append(reversal_posting(award, (payer, payee), amount, kind, reason, settles))
    return postings


def _owed_to(fund: AccountKey) -> AccountKey:
    """Return the account to which a debt is owed.

    It is never a ``budget``: points that are owed have not come in, so a limited fund must not
    award them.
    """
    return fund._replace(purpose=Purpose.fund)
