"""Leaderboards: fed from the ledger by the worker (``feeding``), read by people (``reading``)."""
