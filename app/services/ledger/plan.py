"""Planning a list of postings: pure arithmetic on locked rows, no database.

Postings are taken in order, each seeing what the earlier ones of the list did. One that
must be refused changes nothing and does not disturb its neighbours.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.core.ids import new_id
from app.queries.ledger import AccountRow, LotRow, LotUseRow, TransferRow
from app.services.ledger.types import (
    AccountKey,
    AlreadySettled,
    InsufficientPoints,
    Outcome,
    Posted,
    Posting,
    ReferenceReused,
)


@dataclass
class Plan:
    """The locked world and what the list does to it."""

    accounts: dict[AccountKey, AccountRow]
    by_reference: dict[str, TransferRow]
    closed: dict[UUID, TransferRow]  # by the id of the transfer that was closed
    lots: dict[int, list[LotRow]]  # spendable, by account, soonest to expire first
    used: dict[UUID, list[tuple[LotUseRow, LotRow]]]  # by the transfer that used them
    at: datetime

    transfers: list[TransferRow] = field(default_factory=list)
    made: list[LotRow] = field(default_factory=list)
    changed: dict[UUID, LotRow] = field(default_factory=dict)
    uses: list[LotUseRow] = field(default_factory=list)
    touched: dict[int, AccountRow] = field(default_factory=dict)

    def add(self, posting: Posting) -> Outcome:
        """Decide one posting and, if it stands, note what it writes."""
        payer, payee = self.accounts[posting.payer], self.accounts[posting.payee]
        known = self.by_reference.get(posting.reference)
        if known is not None:
            same = (known.from_account_id, known.to_account_id, known.amount)
            if same != (payer.id, payee.id, posting.amount):
                return ReferenceReused()
            return _posted(known, replayed=True)
        if posting.closes_id is not None and posting.closes_id in self.closed:
            return AlreadySettled()
        if payer.floor is not None and payer.balance - posting.amount < payer.floor:
            return InsufficientPoints()
        transfer = self._move(posting, payer, payee)
        if posting.payer.has_lots:
            self._take_from_lots(transfer)
        if posting.payee.has_lots:
            self._put_into_lots(transfer, posting.expires_at)
        return _posted(transfer, replayed=False)

    def _move(self, posting: Posting, payer: AccountRow, payee: AccountRow) -> TransferRow:
        payer.balance -= posting.amount
        payer.last_number += 1
        payee.balance += posting.amount
        payee.last_number += 1
        transfer = TransferRow(
            id=posting.id,
            unit_id=posting.payer.unit_id,
            from_account_id=payer.id,
            to_account_id=payee.id,
            amount=posting.amount,
            from_number=payer.last_number,
            to_number=payee.last_number,
            from_balance=payer.balance,
            to_balance=payee.balance,
            kind=posting.kind,
            reason=posting.reason,
            reference=posting.reference,
            source_type=posting.source_type,
            source_id=posting.source_id,
            org_id=posting.org_id,
            closes_id=posting.closes_id,
            created_at=self.at,
        )
        self.touched[payer.id] = payer
        self.touched[payee.id] = payee
        self.transfers.append(transfer)
        self.by_reference[posting.reference] = transfer
        if posting.closes_id is not None:
            self.closed[posting.closes_id] = transfer
        return transfer

    def _take_from_lots(self, transfer: TransferRow) -> None:
        """Soonest to expire first; but a reversal first takes the lot that it reverses."""
        lots = self.lots[transfer.from_account_id]
        if transfer.closes_id is not None:
            lots = sorted(lots, key=lambda lot: lot.transfer_id != transfer.closes_id)
        wanted = transfer.amount
        for lot in lots:
            taken = min(lot.remaining, wanted)
            if taken > 0:
                lot.remaining -= taken
                wanted -= taken
                self._note_use(transfer.id, lot, taken)
            if wanted == 0:
                break
        assert wanted == 0, "the lots of an account sum to its balance"

    def _put_into_lots(self, transfer: TransferRow, expires_at: datetime | None) -> None:
        account_id = transfer.to_account_id
        if expires_at is not None:
            lot = LotRow(
                new_id(), account_id, transfer.id, transfer.amount, transfer.amount, expires_at
            )
            self.made.append(lot)
            self.lots[account_id].append(lot)
            self.lots[account_id].sort(key=lambda lot: (lot.expires_at, lot.id))
            return
        assert transfer.closes_id is not None
        for use, lot in self.used[transfer.closes_id]:
            mine = next((known for known in self.lots[account_id] if known.id == lot.id), None)
            if mine is None:
                mine = lot
                self.lots[account_id].append(lot)
                self.lots[account_id].sort(key=lambda lot: (lot.expires_at, lot.id))
            mine.remaining += use.amount
            self._note_use(transfer.id, mine, -use.amount)

    def _note_use(self, transfer_id: UUID, lot: LotRow, amount: int) -> None:
        use = LotUseRow(transfer_id, lot.id, amount)
        self.uses.append(use)
        self.used[transfer_id].append((use, lot))
        self.changed[lot.id] = lot

    @property
    def changed_lots(self) -> list[LotRow]:
        """Lots that existed before and hold another amount now."""
        made = {lot.id for lot in self.made}
        return [lot for lot in self.changed.values() if lot.id not in made]


def lots_by_account(lots: list[LotRow]) -> dict[int, list[LotRow]]:
    found: dict[int, list[LotRow]] = defaultdict(list)
    for lot in lots:
        found[lot.account_id].append(lot)
    return found


def _posted(transfer: TransferRow, *, replayed: bool) -> Posted:
    return Posted(
        transfer_id=transfer.id,
        from_number=transfer.from_number,
        to_number=transfer.to_number,
        from_balance=transfer.from_balance,
        to_balance=transfer.to_balance,
        created_at=transfer.created_at,
        replayed=replayed,
    )
