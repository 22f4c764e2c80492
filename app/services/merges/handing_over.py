"""What an account that is merged has ahead: its sign-ups go to the one that is kept."""

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.models.signups import SignupStatus
from app.queries import shift_holds, waiting_lists
from app.queries import signups as signup_queries
from app.services import signup_pauses, signups, tiers


async def hand_over(tx: Session, absorbed: UUID, kept: UUID, at: datetime) -> None:
    """Give a person's sign-ups to another account of the same person, a pause, and tiers.

    Those to what is not over, and without a check-in. Of two to one activity the better one stays,
    of two shifts at one time that of the account that is kept.
    """
    await signup_pauses.hand_over(tx, absorbed, kept, at)
    await tiers.hand_over(tx, absorbed, kept, at)
    ahead = await signup_queries.lock_ahead(tx, absorbed, at)
    if not ahead:
        return
    await waiting_lists.lock_seats(tx, sorted({one.activity_id for one in ahead}))
    theirs = await signup_queries.living(
        tx, [(one.activity_id, one.session, kept) for one in ahead]
    )
    clashing = await shift_holds.clashing(tx, [one.id for one in ahead], kept)
    given = []
    for one in ahead:
        other = theirs.get((one.activity_id, one.session, kept))
        if other is None and one.id not in clashing:
            given.append(one.id)
            continue
        replaceable = other is not None and other.status not in (one.status, SignupStatus.declined)
        is_better = replaceable and one.status == SignupStatus.confirmed
        ended = other if other is not None and is_better else one
        with suppress(signups.AlreadyCheckedIn, signups.TooLateToCancel):
            await signups.cancel(tx, ended.person_id, ended.id)
            given += [one.id] if is_better else []
    await shift_holds.give_to(tx, given, kept)
    await signup_queries.give_to(tx, given, kept)
