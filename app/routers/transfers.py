"""A transfer of the ledger, by its id."""

from app.api.access import AUDITOR, allow
from app.api.deps import CurrentPerson, Tx
from app.api.routes import Router
from app.core.ids import PathId
from app.core.language import Bilingual
from app.schemas.transfers import TransferOut
from app.services import transfers
from app.services.awards.reversal import TransferNotFound

ABOUT = Bilingual(
    "账本流水：双方账户、来源、冲正与封存",
    "A transfer of the ledger: both accounts, its source, reversals and seal",
)
router = Router(prefix="/ledger/transfers", tags=["transfers"], about=ABOUT)


@router.get("/{transfer_id}", operation_id="getTransfer", **allow(AUDITOR, TransferNotFound))
async def get_transfer(transfer_id: PathId, tx: Tx, person_id: CurrentPerson) -> TransferOut:
    """Return a transfer of the caller's subtrees. Names of people are masked for auditors.

    Looking at one with a person's account leaves an entry in the audit trail.
    """
    return await transfers.read(tx, person_id, transfer_id)
