"""Awards: points for an act under a rule, within its caps, in the same transaction.

``proposals`` come by hand and ``review`` approves them, ``notices`` show them to everybody,
``grant`` gives, ``release`` ends the waiting, ``reversal`` takes back.
"""

from app.services.awards.grant import Grant, Granted, grant
from app.services.awards.notices import (
    NotInNotice,
    ObjectedBefore,
    ObjectionDecided,
    ObjectionNotFound,
    OwnObjection,
    decide,
    in_notice,
    object_to,
)
from app.services.awards.proposals import NumberUsed, propose
from app.services.awards.release import release_due
from app.services.awards.reversal import NotReversible, TransferNotFound, reverse
from app.services.awards.review import (
    AwardNotFound,
    AwardNotPending,
    OwnAward,
    OwnProposal,
    ReviewedBefore,
    approve,
    reject,
)
from app.services.awards.wording import shown

__all__ = [
    "AwardNotFound",
    "AwardNotPending",
    "Grant",
    "Granted",
    "NotInNotice",
    "NotReversible",
    "NumberUsed",
    "ObjectedBefore",
    "ObjectionDecided",
    "ObjectionNotFound",
    "OwnAward",
    "OwnObjection",
    "OwnProposal",
    "ReviewedBefore",
    "TransferNotFound",
    "approve",
    "decide",
    "grant",
    "in_notice",
    "object_to",
    "propose",
    "reject",
    "release_due",
    "reverse",
    "shown",
]
