"""Awards: points for an act under a rule, within its caps, in the same transaction.

``grant`` gives, ``review`` proposes by hand and approves, ``reversal`` takes back.
"""

from app.services.awards.grant import Grant, Granted, attendance_minutes, grant
from app.services.awards.reversal import NotReversible, TransferNotFound, reverse
from app.services.awards.review import (
    AwardNotFound,
    AwardNotPending,
    OwnProposal,
    approve,
    propose,
)
from app.services.awards.wording import shown

__all__ = [
    "AwardNotFound",
    "AwardNotPending",
    "Grant",
    "Granted",
    "NotReversible",
    "OwnProposal",
    "TransferNotFound",
    "approve",
    "attendance_minutes",
    "grant",
    "propose",
    "reverse",
    "shown",
]
