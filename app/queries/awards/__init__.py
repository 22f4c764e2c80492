"""SQL of awards."""

from app.queries.awards.attendance import Act, Window, acts_by_hand, acts_of_people
from app.queries.awards.granting import (
    NewAward,
    Tally,
    find,
    find_many,
    had,
    insert,
    move,
    tallies,
    totals,
    unpaid,
)
from app.queries.awards.reading import of_person, of_subtree
from app.queries.awards.reviewing import (
    approvals,
    claim_numbers,
    decide,
    give_back_numbers,
    give_notice,
    lock_due,
    notices,
    object_to,
    objection,
    review,
    standing_evidence,
)

__all__ = [
    "Act",
    "NewAward",
    "Tally",
    "Window",
    "acts_by_hand",
    "acts_of_people",
    "approvals",
    "claim_numbers",
    "decide",
    "find",
    "find_many",
    "give_back_numbers",
    "give_notice",
    "had",
    "insert",
    "lock_due",
    "move",
    "notices",
    "object_to",
    "objection",
    "of_person",
    "of_subtree",
    "review",
    "standing_evidence",
    "tallies",
    "totals",
    "unpaid",
]
