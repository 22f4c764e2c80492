"""Published lists of rewards: a version puts rewards, prices and withdrawals in force at once.

A version records what it offers. Rewards may still be published one by one; the next version
withdraws those that it does not list.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.core.validation_messages import invalid
from app.models.reward_lists import RewardList, RewardListState
from app.models.rewards import Reward, RewardState
from app.queries import orgs as org_queries
from app.queries import records as record_queries
from app.queries import reward_lists as queries
from app.schemas.reward_lists import (
    ListedRewardIn,
    ListedRewardOut,
    RewardListDetailOut,
    RewardListIn,
    RewardListOut,
)
from app.services import audit, coverages, orgs, people, records
from app.services.ledger import moments
from app.services.rewards import prices

MOVES = {
    RewardListState.announced: {RewardListState.in_force, RewardListState.withdrawn},
    RewardListState.in_force: {RewardListState.superseded},
}


class RewardListNotFound(Refusal):
    code, status, title = "reward_lists.not_found", 404, "No such list"
    zh, en = "兑换清单不存在", "There is no such list of rewards."


class RewardListWrongState(records.WrongState):
    code = "reward_lists.wrong_state"


class AnotherAnnounced(Refusal):
    code, status, title = "reward_lists.another_announced", 409, "Another list is announced"
    zh, en = (
        "已有一版清单待生效，请先撤回",
        "Another version is announced and not in force yet; withdraw it first.",
    )
    fact_names = ("number", "opens_at")


async def publish(
    tx: Session, caller: UUID, org_id: UUID, body: RewardListIn
) -> RewardListDetailOut:
    """Publish the next version of an organisation's list, in force at once or later.

    Raises OrgNotFound, Forbidden, OrgClosed, PricesFrozen, Invalid (a reward of another
    organisation, a time in the past), PriceStep, AnotherAnnounced.
    """
    await records.authorized_open(tx, caller, people.ORGANIZERS, org_id)
    await coverages.require_unfrozen(tx, org_id)
    await org_queries.lock(tx, [org_id])  # one version after the other
    at = await moments.moment(tx)
    from_then = body.effective_from
    if from_then is not None and from_then < at:
        raise invalid("body.effective_from", "生效时间不能早于现在", "must not lie in the past")
    announced = await queries.lock_in_state(tx, org_id, RewardListState.announced)
    if announced is not None and from_then is not None:
        raise AnotherAnnounced(number=announced.number, opens_at=announced.effective_from)
    rewards = await queries.lock_rewards(tx, [one.reward_id for one in body.items], org_id)
    for one in body.items:
        if one.reward_id not in rewards:
            raise invalid("body.items", "没有这个兑换品", "no such reward of this organisation")
        if one.points is not None:
            await prices.check(tx, rewards[one.reward_id], one.points)
    made = RewardList(
        org_id=org_id,
        created_by=caller,
        number=await queries.last_number(tx, org_id) + 1,
        title=body.title,
        source=body.source,
        effective_from=from_then or at,
        items=[_snapshot(rewards[one.reward_id], one) for one in body.items],
        state=RewardListState.announced if from_then else RewardListState.in_force,
    )
    if from_then is None:
        await _supersede(tx, caller, org_id)
    await records.create(tx, caller, made, number=made.number)
    if from_then is None:
        await _apply(tx, caller, made, rewards)
    return _detail(made, told=True)


async def withdraw(
    tx: Session, caller: UUID, reward_list_id: UUID, reason: str
) -> RewardListDetailOut:
    """Withdraw an announced version. Raises RewardListNotFound, RewardListWrongState."""
    found = await records.locked(
        tx, RewardList, reward_list_id, caller, people.ORGANIZERS, RewardListNotFound
    )
    if found.state != RewardListState.announced:
        raise RewardListWrongState(status=found.state)
    to = RewardListState.withdrawn
    await records.move(tx, caller, found, to, MOVES, RewardListWrongState, reason=reason)
    return _detail(found, told=True)


async def put_due_in_force(tx: Session, at: datetime, limit: int) -> int:
    """Put announced versions in force whose time has come; return how many."""
    due = await queries.due(tx, at, limit)
    for one in due:
        rewards = await queries.lock_rewards(tx, [_id(item) for item in one.items], one.org_id)
        await _supersede(tx, None, one.org_id)
        to = RewardListState.in_force
        await records.move(tx, None, one, to, MOVES, RewardListWrongState)
        await _apply(tx, None, one, rewards)
    return len(due)


async def browse(tx: Session, org_id: UUID, asked: PageParams) -> Page[RewardListOut]:
    """Return the versions of an organisation's list, newest first. Raises OrgNotFound."""
    await orgs.get(tx, org_id)
    query = record_queries.where(RewardList, org_id=org_id)
    return await records.page(tx, query, RewardList, RewardListOut, asked)


async def show(tx: Session, caller: UUID | None, reward_list_id: UUID) -> RewardListDetailOut:
    """Return a version with what it offers. Raises RewardListNotFound."""
    found = await record_queries.find(tx, RewardList, reward_list_id)
    if found is None:
        raise RewardListNotFound
    org = await orgs.get(tx, found.org_id)
    return _detail(found, told=await people.holds(tx, caller, people.READERS, org.path))


async def _supersede(tx: Session, actor: UUID | None, org_id: UUID) -> None:
    old = await queries.lock_in_state(tx, org_id, RewardListState.in_force)
    if old is not None:
        to = RewardListState.superseded
        await records.move(tx, actor, old, to, MOVES, RewardListWrongState)


async def _apply(
    tx: Session, actor: UUID | None, one: RewardList, rewards: Mapping[UUID, Any]
) -> None:
    """Publish the listed rewards at their prices, and withdraw the others of the organisation."""
    listed = {_id(item): item["points"] for item in one.items}
    for reward in rewards.values():
        before = reward.state
        if reward.id in listed:
            reward.points, reward.list_id = listed[reward.id], one.id
            reward.state = RewardState.published
        else:
            reward.state, reward.list_id = RewardState.withdrawn, None
        fields = record_queries.changed(reward)
        reward.version += 1
        await record_queries.save(tx, reward)
        await audit.write(
            tx,
            actor,
            "changed",
            reward,
            before=before,
            after=reward.state,
            fields=fields,
            facts=audit.about("reward_list", one.id),
        )


def _snapshot(reward: Reward, listed: ListedRewardIn) -> dict[str, Any]:
    names = set(ListedRewardOut.model_fields) - {"reward_id"}
    points = reward.points if listed.points is None else listed.points
    shown = reward.model_dump(include=names) | {"reward_id": reward.id, "points": points}
    return ListedRewardOut.model_validate(shown).model_dump(mode="json")


def _id(item: Mapping[str, Any]) -> UUID:
    return UUID(item["reward_id"])


def _detail(one: RewardList, *, told: bool) -> RewardListDetailOut:
    items: Sequence[ListedRewardOut] = [ListedRewardOut.model_validate(i) for i in one.items]
    values = one.model_dump(exclude={"items", "created_by"})
    return RewardListDetailOut(
        **values, items=list(items), published_by=one.created_by if told else None
    )
