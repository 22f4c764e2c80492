"""The points rules (积分管理办法): documents that a committee writes and the service obeys.

``reading`` checks a document, ``tightening`` holds one below another, ``books`` knows what is
in force, ``rules`` says what an act is worth, ``publishing`` adds a version.
"""

from app.services.policies.books import Draft, PolicyMissing, book, in_force
from app.services.policies.publishing import Change, check, check_at, compare, draft, publish
from app.services.policies.reading import PolicyInvalid, Problem, Table
from app.services.policies.rules import (
    Policy,
    attendance_minutes,
    by_attendance,
    demanded,
    half_hours,
    points_for_attendance,
)

__all__ = [
    "Change",
    "Draft",
    "Policy",
    "PolicyInvalid",
    "PolicyMissing",
    "Problem",
    "Table",
    "attendance_minutes",
    "book",
    "by_attendance",
    "check",
    "check_at",
    "compare",
    "demanded",
    "draft",
    "half_hours",
    "in_force",
    "points_for_attendance",
    "publish",
]
