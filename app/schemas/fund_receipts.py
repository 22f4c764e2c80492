"""What is printed as the receipt of a fund (公益银行)."""

from dataclasses import dataclass

from app.models.funds import ReceiptForm, ReceiptKind
from app.schemas.funds import ReceiptOut

TITLES = {ReceiptKind.donation: "捐赠收据", ReceiptKind.budget: "预算拨入凭证"}
FORMS = {ReceiptForm.money: "资金", ReceiptForm.goods: "物品"}


@dataclass(frozen=True, slots=True)
class Slip:
    """A receipt with the name of its organisation."""

    receipt: ReceiptOut
    org_name: str

    @property
    def title(self) -> str:
        return TITLES[self.receipt.kind]
