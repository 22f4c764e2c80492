"""Awards: points for an act under a rule, within its caps, in the same transaction.

``proposals`` come by hand, in ``batches`` and ``sheets`` too; ``review`` approves them,
``notices`` show them to everybody, ``reading`` to their owners and reviewers; ``grant``
gives within ``caps``, ``release`` ends the waiting, ``reversal`` takes back.
``simulation`` replays the past under a draft: ``replay`` act by act, upon what is ``earned``.
"""

from app.services.awards.batches import RowsWrong, propose_batch
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
from app.services.awards.reading import browse, mine
from app.services.awards.release import release_due
from app.services.awards.replay import Unmet
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
from app.services.awards.sheets import WrongSheet, propose_sheet, template
from app.services.awards.simulation import (
    Burden,
    Compared,
    Earner,
    Simulation,
    Sums,
    simulate,
)
from app.services.awards.wording import SENTENCES, shown

__all__ = [
    "SENTENCES",
    "AwardNotFound",
    "AwardNotPending",
    "Burden",
    "Compared",
    "Earner",
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
    "RowsWrong",
    "Simulation",
    "Sums",
    "TransferNotFound",
    "Unmet",
    "WrongSheet",
    "approve",
    "browse",
    "decide",
    "grant",
    "in_notice",
    "mine",
    "object_to",
    "propose",
    "propose_batch",
    "propose_sheet",
    "reject",
    "release_due",
    "reverse",
    "shown",
    "simulate",
    "template",
]
