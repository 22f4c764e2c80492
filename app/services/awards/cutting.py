"""Cutting: an award that reviewers have approved gets what the caps leave at that moment.

Awards that wait for reviewers fill no cap, so nobody's award is kept back by a proposal that may
be rejected. Of several that wait, the one approved first fills the caps first. The caps are those
of the day, month and year in which the award was given.
"""

from collections.abc import Sequence
from datetime import datetime

from app.core.db import Session
from app.core.errors import unwrap
from app.models.awards import Award, AwardReason
from app.queries.awards import granting as queries
from app.queries.awards.granting import OnceAsked
from app.queries.ledger import posting as posting_queries
from app.schemas.awards.reading import REASONS
from app.services.awards import announced, caps
from app.services.awards.postings import pending_reversal
from app.services.awards.release import accounts
from app.services.ledger import posting
from app.services.ledger.posting import Locked
from app.services.ledger.types import AccountKey


async def lock(tx: Session, awards: Sequence[Award], at: datetime) -> Locked:
    """Lock what ``cut`` and the release of locked awards may move, in one call.

    Before the caps are summed, as in ``granting.grant``.
    """
    keys = [key for award in awards for key in accounts(award)]
    keys += [fund for award in awards if (fund := await _fund(tx, award)) is not None]
    return await posting.lock(tx, keys, at)


async def cut(tx: Session, award: Award, at: datetime, locked: Locked) -> None:
    """Cut a locked award to what the caps leave. What is cut goes back to the fund."""
    left, reason = await _left(tx, award)
    if left >= award.points:
        return
    over = award.points - left
    award.points, award.points_cut, award.reason = left, award.points_cut + over, reason
    await queries.save(tx, award)
    fund = await _fund(tx, award)
    if fund is not None:
        entry = pending_reversal(award, fund, over, REASONS[reason].zh, f"cut:{award.id}")
        unwrap(await posting.post(tx, [entry], at, locked))


async def _fund(tx: Session, award: Award) -> AccountKey | None:
    """Return the account that paid an award, None if it had no points."""
    given = await posting_queries.find_transfer(tx, award.id)
    return await posting.key_of(tx, given.from_account_id) if given else None


async def _left(tx: Session, award: Award) -> tuple[int, AwardReason]:
    """Return what the caps of an award's day leave of it, by the policy of that day."""
    policy, rule = await announced.policy_of(tx, award)
    found = await queries.tallies(tx, [award.person_id], caps.spans(award.awarded_at))
    earned = found.get((award.person_id, award.unit_id), {})
    had = False
    if rule.per in caps.ONCE:
        scope = caps.once(rule, award.org_id, award.awarded_at)
        asked = OnceAsked(award.person_id, award.unit_id, rule.key, scope)
        had = bool(await queries.had(tx, [asked]))
    return caps.apply_caps(policy, rule, award.points_before_caps, earned, had=had)
