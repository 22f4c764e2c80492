"""Redemptions: points spent.

``reservations``: a reward reserved with held points, collected at a counter or given back.
``charges``: points taken at a counter with the code of a card, and refunded.
"""

from app.services.redemptions.charges import (
    CardCodeInvalid,
    CardCodeUsed,
    CardSuspended,
    ChargeAlreadyRefunded,
    ChargeCommand,
    ChargeNotFound,
    charge,
    charge_once,
    refund,
)
from app.services.redemptions.reservations import (
    RedemptionNotFound,
    RedemptionNotReserved,
    cancel,
    collect,
    expire,
    mine,
    overdue,
    release_overdue,
    reserve,
)

__all__ = [
    "CardCodeInvalid",
    "CardCodeUsed",
    "CardSuspended",
    "ChargeAlreadyRefunded",
    "ChargeCommand",
    "ChargeNotFound",
    "RedemptionNotFound",
    "RedemptionNotReserved",
    "cancel",
    "charge",
    "charge_once",
    "collect",
    "expire",
    "mine",
    "overdue",
    "refund",
    "release_overdue",
    "reserve",
]
