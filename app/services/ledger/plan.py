"""Planning a list of postings: pure arithmetic on locked rows, no database.

Postings are taken in order, each seeing what the earlier ones of the list did. One that
must be refused changes nothing and does not disturb its neighbours.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from app.core.ids import new_id
from app.models.ledger import Kind
from app.queries.ledger.posting import AccountRow, LotRow, LotUseRow, TransferRow
from app.services.ledger.types import (
    REVIVED_FOR,
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
            return InsufficientPoints(needed=posting.amount)
        lots = self._spendable(payer.id, posting) if posting.payer.has_lots else []
        if posting.payer.has_lots and sum(lot.remaining for lot in lots) < posting.amount:
            # The rest has expired, and waits to be taken away.
            return InsufficientPoints(needed=posting.amount)
        transfer = self._move(posting, payer, payee)
        self._take_from(lots, transfer)
        if posting.payee.has_lots and posting.expires_at is not None:
            self._make_lot(transfer, transfer.amount, posting.expires_at, posting.org_id, None)
        elif posting.payee.has_lots:
            self._give_back(transfer, posting.revived_until or self.at + REVIVED_FOR)
        if posting.payee.has_lots:
            self._repay(posting)
        return _posted(transfer, replayed=False)

    def _repay(self, arrived: Posting) -> None:
        """Pay what the person owes from whatever became spendable, before anything else.

        Also from what comes back: or a reversal could be dodged by reserving and cancelling.
        """
        debt = self.accounts.get(arrived.payee.debt)
        amount = min(-debt.balance, arrived.amount) if debt is not None else 0
        if amount == 0:
            return
        repayment = replace(
            arrived,
            id=new_id(),
            payer=arrived.payee,
            payee=arrived.payee.debt,
            amount=amount,
            kind=Kind.repayment,
            reason="偿还冲正欠分",
            reference=f"repayment:{arrived.id}",
            closes_id=None,
        )
        outcome = self.add(repayment)
        assert isinstance(outcome, Posted), "as much has just arrived"

    def _spendable(self, account_id: int, posting: Posting) -> list[LotRow]:
        """Soonest to expire first; but a reversal first takes what it reverses."""
        lots = self.lots[account_id]
        if posting.lot_id is not None:
            return [lot for lot in lots if lot.id == posting.lot_id]
        living = [lot for lot in lots if lot.expires_at > self.at]
        if posting.closes_id is not None:
            living.sort(key=lambda lot: lot.first_brought_by != posting.closes_id)
        return living

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

    def _take_from(self, lots: list[LotRow], transfer: TransferRow) -> None:
        wanted = transfer.amount if lots else 0
        for lot in lots:
            taken = min(lot.remaining, wanted)
            if taken > 0:
                lot.remaining -= taken
                wanted -= taken
                self._note_use(transfer.id, lot, taken)
            if wanted == 0:
                break
        assert wanted == 0, "it was asked before whether they suffice"

    def _make_lot(
        self,
        transfer: TransferRow,
        amount: int,
        expires_at: datetime,
        org_id: UUID,
        origin_id: UUID | None,
    ) -> None:
        lot = LotRow(
            id=new_id(),
            account_id=transfer.to_account_id,
            transfer_id=transfer.id,
            amount=amount,
            remaining=amount,
            expires_at=expires_at,
            org_id=org_id,
            origin_id=origin_id,
        )
        self.made.append(lot)
        self._keep(lot)

    def _give_back(self, transfer: TransferRow, revived_until: datetime) -> None:
        """Return points to the lots that they came from; what has expired lives on a while.

        In a lot of its own, for a lot's end is written once; it names whose points they were,
        or a reversal of that award would take a second time what expires of it.
        """
        assert transfer.closes_id is not None
        known = {lot.id: lot for lot in self.lots[transfer.to_account_id]}
        left = transfer.amount
        for use, lot in self.used[transfer.closes_id]:
            amount = min(use.amount, left)
            left -= amount
            if amount == 0:
                continue
            if lot.expires_at <= self.at:
                origin = lot.first_brought_by
                self._make_lot(transfer, amount, revived_until, lot.org_id, origin)
                continue
            mine = known.get(lot.id)
            if mine is None:
                mine = lot
                self._keep(lot)
            mine.remaining += amount
            self._note_use(transfer.id, mine, -amount)
        assert left == 0, "no more comes back than went"

    def _keep(self, lot: LotRow) -> None:
        lots = self.lots[lot.account_id]
        lots.append(lot)
        lots.sort(key=lambda lot: (lot.expires_at, lot.id))

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
