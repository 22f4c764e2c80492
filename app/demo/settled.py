"""A merchant's past months in the demonstration data: an agreement, settled months."""

from datetime import date

from app.core.clock import local_date, month_start, now
from app.core.db import Session
from app.demo.cast import MERCHANT_IDS
from app.demo.county import County
from app.models.agreements import AgreementState
from app.schemas.agreements import AgreementIn, AgreementMoveIn
from app.schemas.settlements import SettlementIn
from app.services import agreements
from app.services.settlements import settling

MERCHANT = "merchant"


async def agree(tx: Session, county: County) -> None:
    """The street and the café agree on ten cents a point, four fifths of which the street pays."""
    terms = AgreementIn(
        org_id=county.street,
        merchant_id=MERCHANT_IDS[MERCHANT],
        since=local_date(now()).replace(day=1),
        cents_per_point=10,
        subsidy_percent=80,
        cap_cents=200_000,
        note="每季度对账一次，双方各执一份。",
    )
    made = await agreements.propose(tx, county.people["organizer"], terms)
    accepted = AgreementMoveIn(state=AgreementState.active, reason="同意按此结算")
    await agreements.move(tx, county.people[MERCHANT], made.id, accepted)


async def settle(tx: Session, county: County, first: date) -> None:
    """Settle the months since a day that are over, but not the last of them."""
    month = first.replace(day=1)
    while month_start(month.year, month.month, plus=2) + settling.WAITS <= now():
        body = SettlementIn(
            org_id=county.street, merchant_id=MERCHANT_IDS[MERCHANT], month=f"{month:%Y-%m}"
        )
        await settling.settle(tx, county.people["organizer"], body)
        month = local_date(month_start(month.year, month.month, plus=1))
