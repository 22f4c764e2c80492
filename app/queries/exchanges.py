"""SQL of exchanges between programmes."""

from uuid import UUID

from sqlalchemy import or_
from sqlmodel import col

from app.core.db import Session
from app.models.exchanges import Exchange, ExchangeAgreement, ExchangeAgreementState
from app.queries import records
from app.queries.ledger import units
from app.queries.records import Query


def agreements(org: UUID | None, state: ExchangeAgreementState | None) -> Query[ExchangeAgreement]:
    """Select agreements, of an organisation on either side, and in a state."""
    query = records.where(ExchangeAgreement, **({"state": state} if state else {}))
    if org is None:
        return query
    mine = or_(col(ExchangeAgreement.org_id) == org, col(ExchangeAgreement.other_org_id) == org)
    return query.where(mine)


def of_person(person: UUID) -> Query[Exchange]:
    return records.where(Exchange, created_by=person)


async def unit_codes(session: Session) -> dict[int, str]:
    """Return the codes of units by their ids."""
    return {unit: code for code, unit in (await units.units(session)).items()}
