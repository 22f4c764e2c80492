"""Tamperings of the ledger: accounts, transfers, lots, holds, seals."""

from tests.security.tamperings.tampering import SEAL_OF_FACTS, Tampering, Tamperings, change, delete

_HERS = "purpose = 'available' AND unit_id = 1 AND owner_id"
_TREE = "seals: each day's tree"
_ROOTS = "sealed facts: what is kept"
_PUBLISHED = "seals: those that were published"

LEDGER: Tamperings = {
    "ledger_accounts": (
        Tampering(
            change("ledger_accounts", "balance = balance + 1", "alice", _HERS),
            "accounts: the balance is",
            "account",
        ),
        Tampering(
            change("ledger_accounts", "owner_id = gen_random_uuid()", "alice", _HERS),
            "awards: each gave",
            "award {given}",
        ),
        Tampering(
            change("ledger_accounts", "floor = NULL", "alice", _HERS),
            "accounts: the floor",
            "account",
        ),
    ),
    "ledger_closed_days": (
        Tampering("DELETE FROM ledger_closed_days", "closed days: each sealed", "seal of {today}"),
    ),
    "ledger_holds": (
        Tampering(
            delete("ledger_holds", "reserved", "transfer_id"), "holds: the open ones", "{reserved}"
        ),
        Tampering(
            change(
                "ledger_holds", "held_until = held_until + INTERVAL '1 day'", "kept", "transfer_id"
            ),
            "holds: each reservation",
            "redemption {kept}",
        ),
    ),
    "ledger_lot_uses": (
        Tampering(
            delete("ledger_lot_uses", "charge", "transfer_id"),
            "lot uses: what a transfer",
            "transfer {charge}",
        ),
        Tampering(
            change("ledger_lot_uses", "amount = amount - 1", "charge", "transfer_id"),
            "lot uses: what a transfer",
            "transfer {charge}",
        ),
    ),
    "ledger_lots": (
        Tampering(
            change("ledger_lots", "remaining = amount", "given", "transfer_id"),
            "lots: what is left is",
            "lot",
        ),
        Tampering(
            delete("ledger_lots", "given", "transfer_id"), "lot uses: each names", "use of lot"
        ),
        Tampering(
            change(
                "ledger_lots", "expires_at = expires_at + INTERVAL '1 year'", "given", "transfer_id"
            ),
            SEAL_OF_FACTS,
            "lot",
        ),
        Tampering(
            change("ledger_lots", "org_id = '{street}'", "given", "transfer_id"),
            SEAL_OF_FACTS,
            "lot",
        ),
    ),
    "ledger_redactions": (
        Tampering(
            "INSERT INTO ledger_redactions (fact, key, before, after, person_id)"
            " VALUES ('award', uuid_send('{given}'), sha256('a'), sha256('b'), '{alice}')",
            "redactions: each is of",
            "redaction award",
        ),
    ),
    "ledger_sealed_facts": (
        Tampering("DELETE FROM ledger_sealed_facts WHERE fact = 'charge'", _ROOTS, "{today}"),
        Tampering(
            "UPDATE ledger_sealed_facts SET digest = sha256(digest) WHERE fact = 'charge'",
            _ROOTS,
            "{today}",
        ),
    ),
    "ledger_seal_nodes": (
        Tampering("DELETE FROM ledger_seal_nodes WHERE level = 1", _TREE, "{today}"),
        Tampering(
            "UPDATE ledger_seal_nodes SET node = sha256(node) WHERE level = 1", _TREE, "{today}"
        ),
    ),
    "ledger_seals": (
        Tampering(change("ledger_seals", "root = sha256(root)", "today", "day"), _TREE, "{today}"),
        Tampering(change("ledger_seals", "leaves = leaves + 1", "today", "day"), _TREE, "{today}"),
        Tampering(delete("ledger_seals", "before", "day"), _TREE, "{today}"),
        Tampering(
            "DELETE FROM ledger_seals WHERE day = '{today}';"
            "DELETE FROM ledger_sealed_facts WHERE seal_day = '{today}';"
            "DELETE FROM ledger_seal_nodes WHERE day = '{today}'",
            _PUBLISHED,
            "seal of {today}",
            by_seal=True,
        ),
        Tampering(
            "DELETE FROM ledger_seals; DELETE FROM ledger_sealed_facts;"
            " DELETE FROM ledger_seal_nodes",
            _PUBLISHED,
            "seal of {today}",
            by_seal=True,
        ),
    ),
    "ledger_totals": (
        Tampering(
            "INSERT INTO ledger_totals SELECT to_account_id, to_number, 0, 1, 0, 0"
            " FROM ledger_transfers WHERE id = '{given}'",
            "totals: each is the sum",
            "account",
        ),
    ),
    "ledger_transfers": (
        Tampering(
            change("ledger_transfers", "amount = amount + 1", "given"),
            "transfers: the balance after",
            "account",
        ),
        Tampering(delete("ledger_transfers", "charge"), "charges, reserv", "charge {charge}"),
        Tampering(change("ledger_transfers", "reason = 'x'", "charge"), _TREE, "{today}"),
        Tampering(
            change("ledger_transfers", "created_at = created_at - INTERVAL '1 minute'", "charge"),
            _TREE,
            "{today}",
        ),
        Tampering(
            change("ledger_transfers", "kind = 'expiry'", "charge"),
            "transfers: each is between",
            "transfer {charge}",
        ),
    ),
    "ledger_units": (
        Tampering("DELETE FROM ledger_units WHERE id = 1", "units: 1 is points", "unit 1"),
        Tampering(
            "UPDATE ledger_units SET code = 'hours' WHERE id = 2", "units: 1 is points", "unit 2"
        ),
    ),
}
