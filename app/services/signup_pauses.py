"""Pauses of sign-up: so many no-shows in a span, and somebody signs up to nothing for a while."""

from datetime import datetime, timedelta
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.queries import people as people_queries
from app.queries import signup_pauses as queries
from app.services import notify
from app.services.policies.rules import PointsPolicy


class SignupsPaused(Refusal):
    code, status, title = "signups.paused", 409, "Sign-up paused"
    zh, en = "因多次无故缺席，暂停报名", "Sign-up is paused after several no-shows."
    fact_names = ("until",)


async def review(tx: Session, person_id: UUID, policy: PointsPolicy, at: datetime) -> None:
    """Begin, keep or end the pause of a person, by the strikes that stand.

    It lasts from the latest strike that completes the number. The policy is that of the place where
    a strike was given or revoked.
    """
    rules = policy.document.attendance
    accounts = await people_queries.family(tx, person_id)
    since = at - timedelta(days=rules.strike_days)
    strikes = await queries.strikes(tx, accounts, since)
    before = await queries.until(tx, accounts, at)
    until = strikes[0] + timedelta(days=rules.pause_days) if strikes else at
    if len(strikes) < rules.strikes or until <= at:
        await queries.end(tx, accounts)
        return
    await queries.put(tx, accounts[0], until)
    if before is None or until > before:
        facts = {"count": len(strikes), "until": until}
        await notify.send(tx, accounts[0], "signup_paused", ("person", accounts[0]), **facts)


async def hand_over(tx: Session, absorbed: UUID, kept: UUID, at: datetime) -> None:
    """Give the pause of an account that is merged to the one that is kept."""
    until = await queries.until(tx, [absorbed, kept], at)
    await queries.end(tx, [absorbed])
    if until is not None:
        await queries.put(tx, kept, until)
