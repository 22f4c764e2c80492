"""Leaderboards: fed from the ledger by the worker (``feeding``), read by people (``reading``)."""

# For app/routers/leaderboards.py alone; everybody else imports the modules.
from app.services.leaderboards.reading import Board, BoardQuery

__all__ = ["Board", "BoardQuery"]
