"""What answers of the old release are different now, on purpose."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Changed:
    """Fields of the answers at some paths that are not what they were, on purpose."""

    path: str  # a regular expression of caller and path
    fields: set[str]
    why: str

    def covers(self, asked: str, field: str) -> bool:
        return field in self.fields and re.fullmatch(self.path, asked) is not None


OF_A_SCREEN = (
    *("org_name", "category_name", "checkin_opens_at", "checkin_closes_at", "brings"),
    *("distance_m", "mine"),
)
OF_SESSIONS = ("phase", "sessions", "signup_for", "checks_out", "tags", "minimum_attendance")
# An entry stays only while some recorded answer differs there.
CHANGED = (
    Changed(r"\w+ .*", {"body.request_id"}, "each reply has its own"),
    Changed(
        r"None /me",
        {"body.code", "body.type", "body.title", "body.detail", "body.msg"},
        "a caller without a token is told to log in, not that the login ended",
    ),
    Changed(
        r"\w+ /activities/[^/]+/checkin-code",
        {"body.url"},
        "the picture holds a URL, which any scanner opens",
    ),
    Changed(
        r"\w+ /me/notices",
        {"body.unread", "body.items.title", "body.items.subject", "body.items.is_read"},
        "notices have a title, a subject, and are read or not",
    ),
    Changed(
        r"\w+ /orgs/[^/]+/fund/receipts",
        {"body.items.state", "body.items.reversal_reason"},
        "a receipt may be reversed",
    ),
    Changed(
        r"\w+ /activities",
        {"body.items.version", "body.items.cover", "body.items.cancel_reason"},
        "activities are edited, have a cover, and are cancelled for a reason",
    ),
    Changed(
        r"\w+ /activities/[\w-]+",
        {"body.version", "body.cover", "body.cancel_reason"},
        "activities are edited, have a cover, and are cancelled for a reason",
    ),
    Changed(
        r"\w+ /activities(/[\w-]+(/publish)?)?",
        {"body.for_minors", "body.items.for_minors"},
        "an activity may be a class for minors",
    ),
    Changed(
        r"\w+ /me",
        {
            *("body.birth_year", "body.community_id", "body.interests", "body.language"),
            *("body.avatar_url", "body.name_confirmed_at"),
        },
        "a profile tells more",
    ),
    Changed(
        r"\w+ /activities",
        {f"body.items.{one}" for one in OF_A_SCREEN},
        "a list of activities is a screen, with the reader's own part",
    ),
    Changed(
        r"\w+ /activities/[\w-]+",
        {f"body.{one}" for one in OF_A_SCREEN},
        "so is an activity",
    ),
    Changed(
        r"\w+ /activities/[\w-]+",
        {"body.contact", "body.evidence"},
        "it tells whom to ask and what the award needs beside attendance",
    ),
    Changed(
        r"\w+ /activities",
        {f"body.items.{one}" for one in OF_SESSIONS},
        "activities have sessions, tags and a phase",
    ),
    Changed(
        r"\w+ /activities/[\w-]+",
        {f"body.{one}" for one in OF_SESSIONS},
        "activities have sessions, tags and a phase",
    ),
    Changed(
        r"\w+ /activities",
        {f"body.items.{one}" for one in ("signup_for", "signup_terms", "eligibility")},
        "an activity says how places are given, and who may sign up",
    ),
    Changed(
        r"\w+ /activities/[\w-]+",
        {f"body.{one}" for one in ("signup_for", "signup_terms", "eligibility")},
        "an activity says how places are given, and who may sign up",
    ),
    Changed(
        r"\w+ /me/signups",
        {
            *("body.items.session", "body.items.session_title", "body.items.session_starts_at"),
            *("body.items.session_ends_at", "body.items.friends", "body.items.offer_until"),
        },
        "own sign-ups show the session, friends and an offer",
    ),
    Changed(
        r"\w+ /orgs",
        {"body.items.contact_phone", "body.items.contact_note"},
        "organisations have a contact",
    ),
    Changed(
        r"\w+ /leaderboards",
        {"body.around"},
        "a board shows the neighbours of who asks",
    ),
    Changed(
        r"\w+ /me/points",
        {"body.totals", "body.minutes_earned", "body.caps_left"},
        "balances have totals of periods, and what the caps leave",
    ),
    Changed(
        r"\w+ /me/points/entries",
        {"body.items.title", "body.items.activity_id", "body.items.merchant_name"},
        "an entry says what it is about",
    ),
    Changed(
        r"\w+ /rewards",
        {
            *("body.items.mine", "body.items.pictures", "body.items.pickup_place"),
            *("body.items.pickup_hours", "body.items.offered_from", "body.items.offered_until"),
        },
        "and a list of rewards",
    ),
    Changed(
        r"\w+ /me/signups",
        {
            *("body.items.title", "body.items.starts_at", "body.items.ends_at"),
            *("body.items.location_name", "body.items.activity_status", "body.items.points"),
            *("body.items.minutes", "body.items.checked_in_at", "body.items.award_state"),
        },
        "own sign-ups show the activity and what it brought",
    ),
    Changed(
        r"\w+ /me/redemptions",
        {
            *("body.items.merchant_name", "body.items.shops"),
            *("body.items.pickup_place", "body.items.pickup_hours"),
        },
        "redemptions show where they are collected",
    ),
    Changed(
        r"\w+ /me/card",
        {
            *("body.points_12m", "body.minutes_12m", "body.next_tier"),
            *("body.benefits", "body.accepted_at"),
        },
        "the card shows the next tier, benefits and shops",
    ),
    Changed(
        r"\w+ /me/redemptions",
        {"body.items.status"},
        "an overdue reservation is shown as expired before the job has marked it",
    ),
    Changed(
        r"\w+ /me/redemptions",
        {"body.items.undone_at"},
        "a collection may be undone",
    ),
    Changed(
        r"\w+ /merchant/statement",
        {"body.since", "body.until", "body.undone"},
        "a statement is of any days, and has undone collections",
    ),
    Changed(
        r"None /orgs/[^/]+/fund",
        {"body.as_of"},
        "where nothing moved, figures have the moment at which anybody's were written last",
    ),
    Changed(
        r"\w+ /me",
        {"body.roles.id", "body.roles.starts_at", "body.roles.ends_at"},
        "a role has an id, begins and ends",
    ),
    Changed(r"\w+ /orgs", {"body.items.closed_at"}, "an organisation may be closed"),
    Changed(
        r"None /orgs/[\w-]+/fund/receipts",
        {"body.items.state", "body.items.reversal_reason"},
        "receipts may be reversed",
    ),
    Changed(
        r"\w+ /ledger/seals",
        {"body.items.version", "body.items.facts", "body.items.facts_root"},
        "seals have a version, and cover facts from the second on",
    ),
    Changed(
        r"\w+ /me/points/entries/\d+/proof",
        {"body.sealed.version", "body.sealed.facts", "body.sealed.facts_root"},
        "a proof has the seal",
    ),
    Changed(
        r"\w+ /orgs/[^/]+/fund/receipts",
        {"body.items.form", "body.items.goods", "body.items.value_cents"},
        "a receipt says what it is worth",
    ),
    Changed(r"\w+ /me", {"body.honour_year"}, "who gave points to a fund has an honour mark"),
    Changed(
        r"\w+ /me/card",
        {"body.tier_since", "body.grace_until", "body.missing"},
        "a tier is kept for a time",
    ),
)
# Tables whose number of rows a migration changes, and the number afterwards; None: it is gone.
