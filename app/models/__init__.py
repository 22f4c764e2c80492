"""Tables, enums and constraints. Importing this package fills the metadata."""

from app.models import (
    activities,
    auth,
    awards,
    cards,
    checkins,
    idempotency,
    ledger,
    merchants,
    notices,
    orgs,
    outbox,
    people,
    policies,
    redemptions,
    rewards,
    signups,
)

__all__ = [
    "activities",
    "auth",
    "awards",
    "cards",
    "checkins",
    "idempotency",
    "ledger",
    "merchants",
    "notices",
    "orgs",
    "outbox",
    "people",
    "policies",
    "redemptions",
    "rewards",
    "signups",
]
