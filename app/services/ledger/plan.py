"""Plans a list of postings: arithmetic on locked rows, without the database.

Postings are planned in order; each sees the effects of the earlier ones. A refused posting changes
nothing and does not affect the others.
"""

from collections import Counter, defaultdict
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
    """The locked rows, and the changes that the list makes to them."""

    accounts: dict[AccountKey, AccountRow]
    by_reference: dict[str, TransferRow]
    closed: dict[UUID, TransferRow]  # by the id of the closed transfer
    lots: dict[int, list[LotRow]]  # spendable, by account, soonest to expire first
    used: dict[UUID, list[tuple[LotUseRow, LotRow]]]  # by the transfer that used them
    at: datetime

    transfers: list[TransferRow] = field(default_factory=list)
    made: list[LotRow] = field(default_factory=list)
    changed: dict[UUID, LotRow] = field(default_factory=dict)
    uses: list[LotUseRow] = field(default_factory=list)
    touched: dict[int, AccountRow] = field(default_factory=dict)

    def add(self, posting: Posting) -> Outcome:
        """Plan one posting; return its outcome."""
        payer, payee = self.accounts[posting.payer], self.accounts[posting.payee]
        known = self.by_reference.get(posting.reference)
        if known is not None:
            same = (known.from_account_id, known.to_account_id, known.amount)
            if same != (payer.id, payee.id, posting.amount):
                return ReferenceReused()
            return _posted(known, replayed=True)
        if posting.unless_closed in self.closed:
            return AlreadySettled()
        if payer.floor is not None and payer.balance - posting.amount < payer.floor:
            return InsufficientPoints(needed=posting.amount)
        lots = self._spendable(payer.id, posting) if posting.payer.has_lots else []
        if posting.payer.has_lots and sum(lot.remaining for lot in lots) < posting.amount:
            # The rest has expired and waits for the expiry job.
            return InsufficientPoints(needed=posting.amount)
        transfer = self._move(posting, payer, payee)
        self._take_from(lots, transfer)
        if posting.payee.has_lots and posting.expires_at is not None:
            ends, origin = posting.expires_at, posting.origin_id
            self._make_lot(transfer, transfer.amount, ends, posting.org_id, origin)
        elif posting.payee.has_lots:
            self._give_back(transfer, posting)
        if posting.payee.has_lots and posting.repays:
            self._repay(posting)
        return _posted(transfer, replayed=False)

    def _repay(self, arrived: Posting) -> None:
        """Repay the person's debt from points that became spendable.

        Also from points that come back: otherwise a reservation and its cancellation would evade a
        reversal.
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
            returns=None,
            part_of=None,
            lot_id=None,
        )
        outcome = self.add(repayment)
        assert isinstance(outcome, Posted), "as much has just arrived"

    def _spendable(self, account_id: int, posting: Posting) -> list[LotRow]:
        """Return the lots, soonest to expire first; a reversal takes those of its award first."""
        lots = self.lots[account_id]
        if posting.lot_id is not None:
            return [lot for lot in lots if lot.id == posting.lot_id]
        living = [lot for lot in lots if lot.expires_at > self.at]
        first_of = posting.closes_id or posting.first_of
        if first_of is not None:
            living.sort(key=lambda lot: lot.first_brought_by != first_of)
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

    def _give_back(self, transfer: TransferRow, posting: Posting) -> None:
        """Return points to the lots that they came from; expired points get a new lot.

        Latest to expire first: so the parts that returned before are the first points of the list.

        A new lot, because the end of a lot never changes. It names the transfer that first brought
        the points: otherwise a reversal of that award would take them a second time when they
        expire.
        """
        assert posting.source_of_lots is not None
        revived_until = posting.revived_until or self.at + REVIVED_FOR
        known = {lot.id: lot for lot in self.lots[transfer.to_account_id]}
        left, before = transfer.amount, posting.given_back
        for use, lot in self.used[posting.source_of_lots]:
            skipped = min(use.amount, before)
            before -= skipped
            amount = min(use.amount - skipped, left)
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
        assert left == 0, "a transfer cannot return more points than the closed one took"

    def _keep(self, lot: LotRow) -> None:
        lots = self.lots[lot.account_id]
        lots.append(lot)
        lots.sort(key=lambda lot: (lot.expires_at, lot.id))

    def _note_use(self, transfer_id: UUID, lot: LotRow, amount: int) -> None:
        use = LotUseRow(transfer_id, lot.id, amount)
        self.uses.append(use)
        self.used[transfer_id].append((use, lot))
        self.changed[lot.id] = lot

    def lots_moved(self, account_id: int) -> Counter[datetime]:
        """Sum the changes to the lots of an account (in minus out), by their ends."""
        moved = Counter[datetime]()
        made = {lot.id for lot in self.made}
        for lot in self.made:
            if lot.account_id == account_id:
                moved[lot.expires_at] += lot.remaining
        for use in self.uses:
            lot = self.changed[use.lot_id]
            if lot.account_id == account_id and lot.id not in made:
                moved[lot.expires_at] -= use.amount
        return moved

    @property
    def changed_lots(self) -> list[LotRow]:
        """The lots that existed before and whose amount has changed."""
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
