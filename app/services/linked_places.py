"""Linked places: an organizer links a shop, residents scan its poster there once a day.

A link holds on the days of an agreement between organisation and merchant, while the merchant is
active and the shop open. The points are those of a rule of the policy, within its caps.
"""

from datetime import datetime
from uuid import UUID

from app.core.clock import local_date
from app.core.db import Session
from app.core.errors import Refusal
from app.core.ids import new_id
from app.core.paging import Page, PageParams
from app.core.poster_codes import MAX_ISSUE, Poster, PosterCodeInvalid, PosterCodes, PosterKind
from app.core.scanned import code_of, url_of
from app.core.validation_messages import invalid
from app.models.linked_places import LinkedPlace, LinkedPlaceState, LinkedPlaceVisit
from app.models.merchants import MerchantState
from app.models.shops import Shop, ShopState
from app.queries import agreements as agreement_queries
from app.queries import linked_places as queries
from app.queries import merchants as merchant_queries
from app.queries import people as people_queries
from app.queries import quest_visits as visit_queries
from app.queries import records as record_queries
from app.queries.awards import granting as granting_queries
from app.schemas.checkins import PositionIn
from app.schemas.linked_places import (
    LinkedPlaceIn,
    LinkedPlaceMoveIn,
    LinkedPlaceOut,
    LinkedPlacePosterOut,
    LinkedPlaceVisitOut,
)
from app.services import agreements, audit, geofences, orgs, people, records
from app.services.awards import granting, wording
from app.services.awards.granting import Grant
from app.services.ledger import moments
from app.services.policies import history, rules
from app.services.shops import ShopNotFound

State = LinkedPlaceState
MOVES = {State.linked: {State.ended}}


class LinkedPlaceNotFound(Refusal):
    code, status, title = "linked_places.not_found", 404, "No such linked place"
    zh, en = "联动点不存在", "There is no such linked place."


class LinkedPlaceWrongState(records.WrongState):
    code = "linked_places.wrong_state"


class LinkedAlready(Refusal):
    code, status, title = "linked_places.exists", 409, "Linked already"
    zh, en = "该门店已是联动点", "The shop is linked already."


class NotInForce(Refusal):
    """No agreement in force, a suspended merchant, a closed shop, or the link was ended."""

    code, status, title = "linked_places.not_in_force", 409, "Not linked now"
    zh, en = (
        "该联动点目前无效：没有生效的协议，或商户、门店已停业",
        "Not linked now: no agreement is in force, or merchant or shop are closed.",
    )


class PlaceCodeInvalid(Refusal):
    """A code that is forged, of another purpose or key, or replaced by another poster."""

    code, status, title = "linked_places.code_invalid", 422, "Code invalid"
    zh, en = "打卡码无效，请扫描店内现有的海报", "This is not the code of a poster that is valid."


class PlaceLocationMissing(Refusal):
    code, status, title = "linked_places.location_missing", 422, "No location"
    zh, en = "打卡需要您的位置，请允许获取位置后重试", "It needs the location of the phone."


class TooFarFromPlace(Refusal):
    """Facts in metres: how far the phone is, and how far it may be, its accuracy included."""

    code, status, title = "linked_places.too_far", 409, "Too far away"
    zh, en = "您离门店太远，请到店扫码", "You are too far from the shop."
    fact_names = ("distance_m", "limit")


class OwnPlace(Refusal):
    code, status, title = "linked_places.own", 403, "Own shop"
    zh, en = "店员在本店打卡不计积分", "Who works at the merchant earns nothing there."


async def link(tx: Session, caller: UUID, body: LinkedPlaceIn) -> LinkedPlaceOut:
    """Link a shop of a merchant with which the organisation has an agreement.

    Raises OrgNotFound, Forbidden, OrgClosed, ShopNotFound, OwnPlace, NotInForce, LinkedAlready,
    Invalid (rule).
    """
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    shop = await record_queries.lock(tx, Shop, body.shop_id)  # linked once, also by two at once
    if shop is None:
        raise ShopNotFound
    if await agreements.works_at(tx, caller, shop.merchant_id):
        raise OwnPlace
    rule = (await history.in_force(tx, org.path)).rule(body.rule_key)
    if rule is None or not rules.by_visits(rule) or not rules.by_attendance(rule):
        raise invalid("body.rule_key", "打卡不能满足这条规则", "a check-in cannot meet this rule")
    await _require_in_force(tx, shop, org.id, await moments.moment(tx))
    if await queries.is_linked(tx, shop.id, org.id):
        raise LinkedAlready
    made = LinkedPlace(created_by=caller, merchant_id=shop.merchant_id, **body.model_dump())
    await records.create(tx, caller, made, **audit.about("shop", shop.id))
    return LinkedPlaceOut.model_validate(made)


async def browse(tx: Session, org_id: UUID | None, asked: PageParams) -> Page[LinkedPlaceOut]:
    """Return what is linked, of a subtree or everywhere, newest first. Raises OrgNotFound."""
    if org_id is None:
        query = record_queries.where(LinkedPlace, state=State.linked)
    else:
        path = (await orgs.get(tx, org_id)).path
        query = record_queries.below(LinkedPlace, path, state=State.linked)
    return await records.page(tx, query, LinkedPlace, LinkedPlaceOut, asked)


async def move(
    tx: Session, caller: UUID, place_id: UUID, body: LinkedPlaceMoveIn
) -> LinkedPlaceOut:
    """End a link for good. Raises LinkedPlaceNotFound, LinkedPlaceWrongState."""
    place = await _organized(tx, caller, place_id)
    await records.move(
        tx, caller, place, body.state, MOVES, LinkedPlaceWrongState, reason=body.reason
    )
    return LinkedPlaceOut.model_validate(place)


async def poster(
    tx: Session, codes: PosterCodes, host_url: str, caller: UUID, place_id: UUID, *, renews: bool
) -> LinkedPlacePosterOut:
    """Return the poster of a linked place, or make the next one: earlier ones are refused then.

    Raises LinkedPlaceNotFound, LinkedPlaceWrongState.
    """
    place = await _organized(tx, caller, place_id)
    if place.state != State.linked or (renews and place.issue == MAX_ISSUE):
        raise LinkedPlaceWrongState(status=place.state)
    if renews:
        place.issue += 1
        await record_queries.save(tx, place)
        await audit.write(tx, caller, "renewed", place, facts={"issue": place.issue})
    code = codes.make(PosterKind.place, Poster(place.serial, place.issue))
    return LinkedPlacePosterOut(
        linked_place_id=place.id,
        issue=place.issue,
        code=code,
        url=url_of(host_url, code),
        svg_url=f"/api/v1/linked-places/{place.id}/poster.svg",
    )


def read_code(codes: PosterCodes, text: str) -> Poster:
    """Verify what was scanned without a look-up. Raises PlaceCodeInvalid."""
    try:
        return codes.check(code_of(text), PosterKind.place)
    except PosterCodeInvalid:
        raise PlaceCodeInvalid from None


async def visit(
    tx: Session, caller: UUID, scanned: Poster, position: PositionIn | None
) -> tuple[LinkedPlaceVisitOut, bool]:
    """Check in at a linked place; return it, and whether it is new. A repeat returns the first.

    Raises PlaceCodeInvalid, NotInForce, OwnPlace, PlaceLocationMissing, TooFarFromPlace.
    """
    place = await queries.by_serial(tx, scanned.serial)
    if place is None or place.issue != scanned.issue:
        raise PlaceCodeInvalid
    await visit_queries.lock_person(tx, caller)
    family = await people_queries.family(tx, caller)
    at = await moments.moment(tx)
    before = await queries.on_day(tx, place.id, family, local_date(at))
    if before is not None:
        return await _shown(tx, before), False
    if place.state != State.linked:
        raise NotInForce
    shop = await record_queries.find(tx, Shop, place.shop_id)
    assert shop is not None, "a foreign key"
    await _require_in_force(tx, shop, place.org_id, at)
    if await agreements.works_at(tx, caller, place.merchant_id):
        raise OwnPlace
    made = await _record(tx, caller, place, shop, position, at)
    await _grant(tx, place, shop, made)
    return await _shown(tx, made), True


async def _record(
    tx: Session,
    caller: UUID,
    place: LinkedPlace,
    shop: Shop,
    position: PositionIn | None,
    at: datetime,
) -> LinkedPlaceVisit:
    """Insert the check-in of somebody there. Raises PlaceLocationMissing, TooFarFromPlace."""
    if position is None:
        raise PlaceLocationMissing
    assert shop.latitude is not None, "checked"
    assert shop.longitude is not None, "both or neither"
    found = geofences.measure((shop.latitude, shop.longitude), place.radius_m, position)
    if not found.is_inside:
        raise TooFarFromPlace(distance_m=found.distance_m, limit=found.limit)
    org = await orgs.get(tx, place.org_id)
    made = LinkedPlaceVisit(
        linked_place_id=place.id,
        person_id=caller,
        visited_on=local_date(at),
        visited_at=at,
        distance_m=found.distance_m,
        accuracy_m=found.accuracy_m,
        # Whoever may fetch the poster can scan it anywhere.
        doubted=await people.holds(tx, caller, people.ORGANIZERS, org.path),
        award_id=new_id(),
    )
    await queries.insert(tx, made)
    return made


async def _grant(tx: Session, place: LinkedPlace, shop: Shop, made: LinkedPlaceVisit) -> None:
    """Give the award of a check-in. Announced rules apply, also if switched off since."""
    org = await orgs.get(tx, place.org_id)
    policy = (await history.load(tx)).announced(made.visited_at, org.path, place.rule_key)
    rule = policy.document.rules[place.rule_key]
    asks_more = rules.asks_more_than_attendance(rule)
    grant = Grant(
        id=made.award_id,
        reference=f"place:{place.id}:{made.visited_on}:{made.person_id}",
        person_id=made.person_id,
        org_id=place.org_id,
        policy=policy,
        rule=rule,
        points=rule.points,
        minutes=0,
        proof="poster_code",
        title=f"{rule.name}：{shop.name}",
        proposed_by=place.created_by if asks_more else None,
        proposal_id=place.id if asks_more else None,
        is_own_act=made.doubted,
    )
    [granted] = await granting.grant(tx, [grant], made.visited_at)
    await wording.tell_reviewers(tx, [granted.award])


async def _require_in_force(tx: Session, shop: Shop, org_id: UUID, at: datetime) -> None:
    """Raise NotInForce unless a shop with a position is open, under an agreement of that day."""
    merchant = await merchant_queries.find(tx, shop.merchant_id)
    assert merchant is not None, "a foreign key"
    today = local_date(at)
    is_open = merchant.state == MerchantState.active and shop.state == ShopState.open
    if not is_open or shop.latitude is None:
        raise NotInForce
    if not await agreement_queries.between(tx, merchant.id, org_id, today, today):
        raise NotInForce


async def _organized(tx: Session, caller: UUID, place_id: UUID) -> LinkedPlace:
    return await records.locked(
        tx, LinkedPlace, place_id, caller, people.ORGANIZERS, LinkedPlaceNotFound
    )


async def _shown(tx: Session, made: LinkedPlaceVisit) -> LinkedPlaceVisitOut:
    award = await granting_queries.find(tx, made.award_id)
    assert award is not None, "a foreign key"
    return LinkedPlaceVisitOut(
        id=made.id,
        linked_place_id=made.linked_place_id,
        visited_on=made.visited_on,
        visited_at=made.visited_at,
        award=wording.to_out(award),
    )
