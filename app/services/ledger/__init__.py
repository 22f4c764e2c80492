"""The ledger: transfers between accounts, planned in Python on locked rows, written in batches.

It knows no activity and no reward: callers pass a reason and a source reference.
``posting`` moves points, ``passbook`` reads them, ``verification`` recomputes everything.
"""
