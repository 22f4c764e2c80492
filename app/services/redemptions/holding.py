"""The postings, words and codes of a reservation."""

import secrets
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.ids import new_id
from app.models.ledger import Kind
from app.models.redemptions import Redemption
from app.models.rewards import Reward
from app.services import notify
from app.services.ledger.types import AccountKey, HoldTerms, Posting, settlement_of

_WORDS = {
    Kind.hold: "兑换预留",
    Kind.collect: "兑换领取",
    Kind.unhold: "兑换退回",
    Kind.refund: "撤销领取",
}
# Crockford's base 32: no letters that look like digits. 40 bits.
PICKUP_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PICKUP_LENGTH = 8


def posting_of(
    redemption: Redemption,
    kind: Kind,
    payer: AccountKey,
    payee: AccountKey,
    org_id: UUID,
    reason: str,
    terms: HoldTerms | None = None,
) -> Posting:
    """Return the posting that holds the points if ``terms`` are given, else the settlement."""
    hold = f"redemption:{redemption.id}:hold"
    return Posting(
        id=redemption.id if terms else new_id(),
        payer=payer,
        payee=payee,
        amount=redemption.points,
        kind=kind,
        reason=reason,
        reference=hold if terms else settlement_of("redemption", redemption.id),
        source_type="redemption",
        source_id=redemption.id,
        org_id=org_id,
        closes_id=None if terms else redemption.id,
        terms=terms,
    )


def reason_of(kind: Kind, reward_name: str) -> str:
    return f"{_WORDS[kind]}：{reward_name}"


async def tell(
    tx: Session, redemption: Redemption, kind: str, reward: Reward, **facts: Any
) -> None:
    facts |= {
        "reward": reward.name,
        "quantity": redemption.quantity,
        "points": redemption.points,
    }
    await notify.send(tx, redemption.person_id, kind, ("redemption", redemption.id), **facts)


def pickup_code() -> str:
    return "".join(secrets.choice(PICKUP_ALPHABET) for _ in range(PICKUP_LENGTH))
