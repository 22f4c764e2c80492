"""The ledger: transfers between accounts, planned in Python on locked rows, written in lists.

It knows no activity and no reward: callers pass a reason and a source reference.
``post`` moves, ``passbook`` reads, ``verify`` proves.
"""
