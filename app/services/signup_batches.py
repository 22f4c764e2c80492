"""Sign-ups of a group: an organizer of an activity signs people up by their card numbers."""

from collections.abc import Mapping
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.models.activities import Activity
from app.queries import people as people_queries
from app.schemas.signup_batches import GroupMemberOut, MemberOutcome, SignupBatchIn, SignupBatchOut
from app.services import activities, audit, notify, people, signups
from app.services.ledger import moments
from app.services.people import CardGuesses
from app.services.signups import Claim, Claimed


async def sign_up(
    tx: Session, caller: UUID, activity_id: UUID, body: SignupBatchIn, guesses: CardGuesses
) -> SignupBatchOut:
    """Sign members up as if each had asked, in the order of the numbers; they get a notice.

    Each may cancel. Nothing that refuses one member concerns the others. Raises ActivityNotFound,
    Forbidden, and what ``guesses`` raises.
    """
    activity = await activities.co_organized(tx, caller, activity_id)
    numbers = list(dict.fromkeys(body.card_nos))
    cards = await people.by_card(tx, numbers, guesses)
    standing = await people_queries.active(tx, sorted(set(cards.values())))
    members = list(dict.fromkeys(cards[one] for one in numbers if cards.get(one) in standing))
    claims = [Claim(activity_id, one, body.session) for one in members]
    outcomes = await signups.claim(tx, claims, await moments.checked_now(tx)) if claims else []
    by_member = dict(zip(members, outcomes, strict=True))
    new = {
        person: one for person, one in by_member.items() if isinstance(one, Claimed) and one.is_new
    }
    await _record(tx, caller, activity, new)
    items = [_member(one, cards.get(one), by_member) for one in numbers]
    return SignupBatchOut(items=items)


async def _record(
    tx: Session, caller: UUID, activity: Activity, new: Mapping[UUID, Claimed]
) -> None:
    about = audit.about("activity", activity.id)
    for person, one in new.items():
        await audit.write_about(
            tx,
            caller,
            "created",
            ("signup", one.signup.id),
            activity.org_id,
            after=one.signup.status,
            facts=about | {"person": str(person)},
        )
    facts = {"title": activity.title, "starts_at": activity.starts_at}
    subject = ("activity", activity.id)
    await notify.send(tx, list(new), "signup_by_leader", subject, **facts)


def _member(
    card_no: str, person: UUID | None, outcomes: Mapping[UUID, Claimed | Refusal]
) -> GroupMemberOut:
    found = outcomes.get(person) if person is not None else None
    if isinstance(found, Claimed):
        outcome = MemberOutcome.signed_up if found.is_new else MemberOutcome.there
        return GroupMemberOut(
            card_no=card_no, outcome=outcome, signup=found.signup, code=None, msg=None
        )
    code = found.code if found else None
    return GroupMemberOut(
        card_no=card_no,
        outcome=MemberOutcome.refused if found else MemberOutcome.unknown,
        signup=None,
        code=code,
        msg=found.sentence() if found else None,
    )
