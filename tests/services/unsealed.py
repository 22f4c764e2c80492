"""Columns of tables with sealed facts that no fact covers, and why."""

from collections.abc import Mapping

NOT_SEALED: Mapping[str, Mapping[str, str]] = {
    "awards": {
        "points": "changes; with the two below compared with the transfer",
        "points_cut": "changes; compared with the transfer",
        "points_reversed": "changes; compared with the transfer",
        "state": "changes; compared with the ledger",
        "release_at": "changes; the release is a transfer",
        "open_objections": "changes; compared with the cases",
    },
    "checkins": {
        "latitude": "emptied after a month; nothing is paid by it, and the distance is sealed",
        "longitude": "emptied after a month; nothing is paid by it, and the distance is sealed",
    },
    "redemptions": {
        "undone_at": "of a later event; compared with the transfer that gave the points back",
        "undone_by": "of a later event; the audit trail has it",
        "undo_reason": "of a later event; the audit trail has it",
        "replaces_id": "compared with the collection that was undone",
        "day_id": "of a redemption day; compared with its stock",
        "slot_id": "of a redemption day; compared with its places",
        "is_walk_in": "of a redemption day; no points depend on it",
    },
    "charges": {
        "expires_at": "compared with the hold of a charge that waited",
        "settled_at": "of a later event; compared with the transfer that ended the hold",
    },
    "deductions": {"state": "changes; compared with the ledger, and the decision is a fact"},
    "cases": {
        "due_at": "changes; a deadline, nothing is paid by it",
        "round": "appeals and objections are never reopened",
        "satisfaction": "appeals and objections are not rated",
        "last_number": "compared with the entries by a trigger",
    },
    "ledger_lots": {"remaining": "changes; compared with the uses"},
    "ledger_holds": {"is_open": "changes; compared with the ledger"},
    "exchange_agreements": {
        "state": "changes; its decision and its end are facts",
        "position": "changes; compared with the exchanges and the clearing accounts",
        "other_position": "changes; compared with the exchanges and the clearing accounts",
    },
}
