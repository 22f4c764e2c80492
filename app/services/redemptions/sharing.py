"""A merchant that several organisations share: under which of them a charge is.

It is the one of the agreement in force with the merchant that is nearest above where the resident
lives; without one the merchant's own (docs/decisions/0055). The transfer says it, so that it never
changes when the resident moves or an agreement ends.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.core.clock import local_date
from app.core.db import Session
from app.queries import agreements as queries
from app.queries.redemptions import NewCharge
from app.services.policies.history import PolicyHistory


async def under_agreements(
    tx: Session, charges: Sequence[NewCharge], published: PolicyHistory, at: datetime
) -> dict[UUID, NewCharge]:
    """Return the charges by id, each under its organisation and in the unit of its programme."""
    if not charges:
        return {}
    merchants, people = [one.merchant_id for one in charges], [one.person_id for one in charges]
    rows = await queries.payers(tx, merchants, people, local_date(at))
    payers = {(row.merchant_id, row.person_id): row for row in rows}
    found = {one.id: one for one in charges}
    for one in charges:
        payer = payers.get((one.merchant_id, one.person_id))
        if payer is not None:
            unit_id = published.policy(at, payer.org_path).unit_id
            found[one.id] = replace(one, org_id=payer.org_id, unit_id=unit_id)
    return found
