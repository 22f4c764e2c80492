"""Stops of the tour in the offices: merges, drafts of points rules, accounts and verifications.

They come after those of ``tour``, in which bob becomes an administrator.
"""

from datetime import timedelta
from typing import Any

from app.core.clock import local_date, now
from app.demo.caller import Caller
from app.demo.cast import STREET, fixed_id
from app.demo.phone import Unexpected, until

STREET_ID = str(fixed_id(0, STREET))
MERGED = {"absorbed_code": "resident-04", "kept_code": "resident-07"}
WORKED_WITHIN_S = 60.0
LOOSER = "[caps]\nday = 90\nmonth = 900\n"  # than the policy above: two errors


async def _merges(tour: Caller) -> None:
    """Withdraw a merge of two neighbours, then confirm one as another administrator."""
    withdrawn = await _proposed(tour)
    await tour.do("admin", "rejectMerge", merge_id=withdrawn["id"])
    proposed = await _proposed(tour)
    place = {"merge_id": proposed["id"]}
    await tour.do("bob", "confirmMerge", **place)
    await tour.do("auditor", "getMerge", **place)
    await tour.do("auditor", "listMerges", org_id=STREET_ID)


async def _proposed(tour: Caller) -> Any:
    """Propose the merge of two neighbours who show the codes of their cards."""
    shown = {
        field: (await tour.do(user, "getMyCardCode"))["code"] for field, user in MERGED.items()
    }
    return await tour.do("admin", "proposeMerge", shown)


async def _drafts(tour: Caller) -> None:
    """Check, compare, simulate and publish a document; a worker runs the simulation."""
    street = {"org_id": STREET_ID}
    await tour.do("admin", "checkPolicy", {"document": LOOSER})
    await tour.do("admin", "checkPolicy")
    compared = await tour.do("admin", "diffPolicy")
    asked = await tour.do("admin", "simulatePolicy")
    await tour.do("admin", "cancelPolicySimulation", simulation_id=asked["id"])
    last = local_date(now()) - timedelta(days=1)
    days = {"first_day": str(last - timedelta(days=100)), "last_day": str(last)}
    asked = await tour.do("admin", "simulatePolicy", days)
    place = {"simulation_id": asked["id"]}
    await _ended(tour, "admin", "getPolicySimulation", place)
    await tour.do("admin", "listPolicySimulations", **street)
    await tour.do("admin", "listSimulatedPeople", **place)
    await tour.do("admin", "publishPolicy", version=compared["version"])


async def _ledger(tour: Caller) -> None:
    """Read accounts and a transfer, and let a worker verify the ledger."""
    street = {"org_id": STREET_ID}
    await tour.do("alice", "listUnits")
    await tour.do("admin", "openUnit")
    accounts = await tour.do("auditor", "listAccounts", **street)
    moved = next(one for one in accounts["items"] if one["last_number"])
    place = {"account_id": moved["id"], **street}
    await tour.do("auditor", "getAccount", **place)
    transfers = await tour.do("auditor", "listAccountTransfers", **place)
    await tour.do("auditor", "getTransfer", transfer_id=transfers["items"][0]["id"])
    started = await tour.do("auditor", "startVerification")
    await tour.do("auditor", "getJob", job_id=started["id"])
    place = {"verification_id": started["id"]}
    await _ended(tour, "auditor", "getVerification", place)
    await tour.do("auditor", "listVerifications")


async def _ended(tour: Caller, user: str, operation_id: str, place: dict[str, str]) -> None:
    """Wait until what a worker was asked for has ended."""

    async def has_ended() -> bool:
        return (await tour.do(user, operation_id, **place))["ended_at"] is not None

    if not await until(has_ended, True, WORKED_WITHIN_S):
        raise Unexpected(operation_id, "an end", "none")


STOPS = (_merges, _drafts, _ledger)
