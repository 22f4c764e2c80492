# ruff: noqa: S608 - every piece of SQL here is a constant of this file
"""Checks of the ledger against the facts behind it: the people and organisations of transfers.

Seals bind a transfer to the numbers of its accounts; these checks bind the accounts to people,
merchants and organisations.
"""

from enum import StrEnum

from app.models.ledger import Kind, Purpose
from app.queries.ledger.checking import Check, of_one_person

_BANK = (Purpose.fund, Purpose.budget)
# Purposes of payer and payee, by kind.
_SIDES: dict[Kind, tuple[tuple[Purpose, ...], tuple[Purpose, ...]]] = {
    Kind.award: (_BANK, (Purpose.available, Purpose.pending)),
    Kind.release: ((Purpose.pending,), (Purpose.available,)),
    Kind.hold: ((Purpose.available,), (Purpose.held,)),
    Kind.unhold: ((Purpose.held,), (Purpose.available,)),
    Kind.collect: ((Purpose.held,), (Purpose.takings, *_BANK)),
    Kind.charge: ((Purpose.available,), (Purpose.takings,)),
    Kind.refund: ((Purpose.takings, *_BANK), (Purpose.available,)),
    Kind.reversal: ((Purpose.available, Purpose.pending), _BANK),
    Kind.clawback: ((Purpose.debt,), _BANK),
    Kind.repayment: ((Purpose.available,), (Purpose.debt,)),
    Kind.expiry: ((Purpose.available,), (Purpose.expired,)),
    Kind.deduction: ((Purpose.available,), (Purpose.fund,)),
    Kind.restitution: ((Purpose.fund,), (Purpose.available,)),
    Kind.donation: ((Purpose.income,), _BANK),
    Kind.budget: ((Purpose.income,), _BANK),
    Kind.merge: ((Purpose.available, Purpose.debt), (Purpose.available, Purpose.debt)),
    Kind.exchange: ((Purpose.available, Purpose.clearing), (Purpose.available, Purpose.clearing)),
}
assert _SIDES.keys() == set(Kind)


def _listed(words: tuple[StrEnum, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _are(account: str, purposes: tuple[Purpose, ...]) -> str:
    return f"{account}.purpose IN ({_listed(purposes)})"


_KINDS = " ".join(
    f"WHEN '{kind}' THEN {_are('p', payers)} AND {_are('q', payees)}"
    for kind, (payers, payees) in _SIDES.items()
)
# The reversal of a receipt goes the way back, and settles it.
_OF_RECEIPT = "t.kind = 'reversal' AND t.source_type = 'receipt'"
_MOVES = f"""
CASE WHEN {_OF_RECEIPT} THEN {_are("p", _BANK)} AND q.purpose = 'income' AND t.closes_id IS NOT NULL
ELSE CASE t.kind {_KINDS} END END
"""
# The kinds that each kind settles. A reversal may have several parts; the first settles the award.
# Of the refunds of a charge the last one, of what is left, settles it: see the check of refunds.
_SETTLES: dict[Kind, tuple[Kind, ...]] = {
    Kind.release: (Kind.award,),
    Kind.unhold: (Kind.hold,),
    Kind.collect: (Kind.hold,),
    Kind.refund: (Kind.charge, Kind.collect),
    Kind.restitution: (Kind.deduction,),
    Kind.reversal: (Kind.award, Kind.release, Kind.donation, Kind.budget),
    Kind.clawback: (Kind.award, Kind.release),
}
_IN_PARTS = (Kind.reversal, Kind.clawback)
_SETTLED = " ".join(
    f"WHEN '{kind}' THEN o.kind IN ({_listed(settled)})" for kind, settled in _SETTLES.items()
)
_SETTLING = _listed(tuple(kind for kind in _SETTLES if kind not in _IN_PARTS))
_OF_AN_ORGANISATION = (*_BANK, Purpose.income, Purpose.expired, Purpose.clearing)
# A transfer t between accounts p and q that no service writes: an account has another unit; the
# purposes are not those of the kind; it has two owners though the kind has one; an organisation's
# account is not of the transfer's organisation (except payees of collections, which are the
# counter's organisation); or it settles nothing though its kind must.
WRONG_ACCOUNTS = f"""
(p.unit_id IS DISTINCT FROM t.unit_id OR q.unit_id IS DISTINCT FROM t.unit_id
 OR ({_MOVES}) IS NOT TRUE
 OR (t.kind IN ('release', 'hold', 'unhold', 'repayment') AND p.owner_id <> q.owner_id)
 OR (t.kind = 'merge' AND (p.purpose <> q.purpose OR p.owner_id = q.owner_id))
 OR (t.kind = 'exchange' AND p.purpose = q.purpose)
 OR (t.kind IN ({_SETTLING}) AND t.closes_id IS NULL
     AND NOT (t.kind = 'refund' AND t.source_type = 'charge'))
 OR ({_are("p", _OF_AN_ORGANISATION)} AND p.owner_id <> t.org_id)
 OR ({_are("q", _OF_AN_ORGANISATION)} AND q.owner_id <> t.org_id AND t.kind <> 'collect'))
"""

# What an award gave to somebody who was merged is taken back from whom they were merged into.
_ARE_OF_ONE_PERSON = f"""EXISTS (
    SELECT FROM ledger_accounts p JOIN ledger_accounts q ON q.id = t.from_account_id
    WHERE p.id = o.to_account_id AND p.owner_id <> q.owner_id
      AND (p.unit_id, p.purpose) = (q.unit_id, q.purpose)
      AND {of_one_person("p.owner_id", "q.owner_id")})"""

# Start of the first sealed day.
SEALED_FROM = """
(SELECT CAST(min(day) AS timestamp) AT TIME ZONE 'Asia/Shanghai' FROM ledger_seals)
"""

# Run if the probe of transfers finds a difference.
TRANSFER_CHECKS = (
    Check(
        "transfers: each is between accounts of its unit, kind and organisation, and settles one",
        f"""
        SELECT 'transfer ' || t.id AS subject,
               concat_ws(' ', t.kind, 'in unit', t.unit_id, 'by', t.org_id, 'settling',
                         coalesce(CAST(t.closes_id AS text), 'nothing')) AS expected,
               concat_ws(' ', 'account', t.from_account_id, 'in unit', p.unit_id, p.purpose, 'of',
                         p.owner_id, 'and account', t.to_account_id, 'in unit', q.unit_id,
                         q.purpose, 'of', q.owner_id) AS found
        FROM ledger_transfers t
        LEFT JOIN ledger_accounts p ON p.id = t.from_account_id
        LEFT JOIN ledger_accounts q ON q.id = t.to_account_id
        LEFT JOIN ledger_units u ON u.id = t.unit_id
        WHERE {WRONG_ACCOUNTS} OR u.id IS NULL
        """,
    ),
    Check(
        "seals: no transfer is older than the first of them",
        f"""
        SELECT 'transfer ' || id AS subject, {SEALED_FROM} AS expected, created_at AS found
        FROM ledger_transfers WHERE created_at < {SEALED_FROM}
        """,
    ),
)
FACT_CHECKS = (
    Check(
        "transfers: what one settles is of its kind and fact, and has at least its amount",
        f"""
        SELECT 'transfer ' || t.id AS subject,
               concat_ws(' ', t.kind, t.amount, 'of', t.source_type, t.source_id, 'from account',
                         t.from_account_id) AS expected,
               concat_ws(' ', o.kind, o.amount, 'of', o.source_type, o.source_id, 'to account',
                         o.to_account_id) AS found
        FROM ledger_transfers t LEFT JOIN ledger_transfers o ON o.id = t.closes_id
        WHERE t.closes_id IS NOT NULL
          AND (o.id IS NULL OR o.amount < t.amount
            OR (o.source_type, o.source_id) <> (t.source_type, t.source_id)
            OR (CASE t.kind {_SETTLED} END) IS NOT TRUE
            OR (o.to_account_id <> t.from_account_id AND t.kind <> 'clawback'
                AND NOT (t.kind = 'reversal' AND {_ARE_OF_ONE_PERSON}))
            OR (o.from_account_id <> t.to_account_id
                AND (t.kind IN ('unhold', 'refund', 'restitution') OR {_OF_RECEIPT})
                AND o.kind <> 'collect'))
        """,
    ),
    Check(
        "charges, reservations, deductions, receipts: each moved its points, from its owner",
        """
        SELECT coalesce(f.what, t.source_type) || ' ' || coalesce(f.id, t.id) AS subject,
               concat_ws(' ', f.kind, f.points, 'in unit', f.unit_id, 'of', f.owner_id,
                         f.merchant_id) AS expected,
               concat_ws(' ', t.kind, t.amount, 'in unit', t.unit_id, 'of', t.payer,
                         CASE WHEN t.kind = 'charge' THEN t.payee END) AS found
        FROM (
            SELECT 'charge' AS what, CASE WHEN expires_at IS NULL THEN 'charge' ELSE 'hold' END
                   AS kind, id, points, unit_id, person_id AS owner_id,
                   CASE WHEN expires_at IS NULL THEN merchant_id END AS merchant_id
            FROM charges
            UNION ALL
            SELECT 'redemption', 'hold', id, points, unit_id, person_id, NULL FROM redemptions
            UNION ALL
            SELECT 'deduction', 'deduction', id, points, unit_id, person_id, NULL FROM deductions
            WHERE points > 0
            UNION ALL
            SELECT 'receipt', kind, id, points, unit_id, org_id, NULL FROM fund_receipts
        ) f
        FULL JOIN (
            SELECT t.*, p.owner_id AS payer, q.owner_id AS payee FROM ledger_transfers t
            JOIN ledger_accounts p ON p.id = t.from_account_id
            JOIN ledger_accounts q ON q.id = t.to_account_id
            WHERE t.source_type IN ('charge', 'redemption', 'deduction', 'receipt')
              AND t.kind IN ('charge', 'hold', 'deduction', 'donation', 'budget')
        ) t ON t.id = f.id
        WHERE (t.source_type, t.kind, t.amount, t.unit_id, t.payer)
              IS DISTINCT FROM (f.what, f.kind, f.points, f.unit_id, f.owner_id)
           OR t.payee <> f.merchant_id
        """,
    ),
    # The ledger may end an overdue hold before the job marks its reservation or charge as expired.
    Check(
        "charges, reservations, deductions, receipts: each was settled as its state says",
        """
        SELECT f.what || ' ' || f.id AS subject,
               f.state || ', settled by ' || coalesce(f.settled, 'nothing') AS expected,
               coalesce(t.kind, 'nothing') AS found
        FROM (
            SELECT 'charge' AS what, id, status AS state,
                   CASE WHEN expires_at IS NULL THEN CASE status WHEN 'refunded' THEN 'refund' END
                        WHEN status IN ('charged', 'refunded') THEN 'collect'
                        WHEN status IN ('refused', 'expired') THEN 'unhold' END AS settled,
                   expires_at AS ends
            FROM charges
            UNION ALL
            SELECT 'redemption', id, status,
                   CASE status WHEN 'collected' THEN 'collect'
                               WHEN 'cancelled' THEN 'unhold' WHEN 'expired' THEN 'unhold' END,
                   expires_at
            FROM redemptions
            UNION ALL
            SELECT 'deduction', id, state, CASE state WHEN 'revoked' THEN 'restitution' END, NULL
            FROM deductions WHERE points > 0
            UNION ALL
            SELECT 'receipt', id, state, CASE state WHEN 'reversed' THEN 'reversal' END, NULL
            FROM fund_receipts
        ) f
        LEFT JOIN ledger_transfers t ON t.closes_id = f.id
        WHERE f.settled IS DISTINCT FROM t.kind
          AND NOT (f.state IN ('reserved', 'waiting') AND t.kind = 'unhold'
                   AND f.ends <= t.created_at)
        """,
    ),
)
