"""Shops: the places of a merchant, kept by its staff or by organizers above it."""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.models.shops import Shop, ShopState
from app.queries import records as record_queries
from app.queries import shops as queries
from app.schemas.shops import ShopChangedOut, ShopIn, ShopMoveIn, ShopOut
from app.services import audit, orgs, records
from app.services.attachments.subjects import Access, Subject
from app.services.merchants import access as merchants

MOVES = {ShopState.open: {ShopState.closed}, ShopState.closed: {ShopState.open}}
MAX_SHOPS = 50  # of a merchant


class ShopNotFound(Refusal):
    code, status, title = "shops.not_found", 404, "No such shop"
    zh, en = "门店不存在", "There is no such shop."


class ShopWrongState(records.WrongState):
    code = "shops.wrong_state"


class TooManyShops(Refusal):
    code, status, title = "shops.too_many", 409, "Too many shops"
    zh, en = "门店数量已达上限", "The merchant has as many shops as it may."
    fact_names = ("limit", "used")


async def create(tx: Session, caller: UUID, merchant_id: UUID, body: ShopIn) -> ShopOut:
    """Open a shop. Raises MerchantNotFound, TooManyShops."""
    merchant = await merchants.kept(tx, caller, merchant_id)
    used = await queries.count(tx, merchant.id)
    if used >= MAX_SHOPS:
        raise TooManyShops(limit=MAX_SHOPS, used=used)
    shop = Shop(
        org_id=merchant.org_id, created_by=caller, merchant_id=merchant.id, **body.model_dump()
    )
    await records.create(tx, caller, shop, **audit.about("merchant", merchant.id))
    return ShopOut.model_validate(shop)


async def browse(
    tx: Session, org_id: UUID | None, merchant_id: UUID | None, asked: PageParams
) -> Page[ShopOut]:
    """Return the open shops of active merchants, newest first. Raises OrgNotFound."""
    org_path = (await orgs.get(tx, org_id)).path if org_id is not None else None
    query = queries.open_ones(org_path, merchant_id)
    return await records.page(tx, query, Shop, ShopOut, asked)


async def get(tx: Session, shop_id: UUID) -> ShopOut:
    """Return a shop, open or closed. Raises ShopNotFound."""
    shop = await record_queries.find(tx, Shop, shop_id)
    if shop is None:
        raise ShopNotFound
    return ShopOut.model_validate(shop)


async def edit(
    tx: Session, caller: UUID, shop_id: UUID, version: int, body: ShopIn
) -> ShopChangedOut:
    """Replace what is known of a shop. Raises ShopNotFound, PreconditionFailed."""
    shop = await _kept(tx, caller, shop_id)
    changes = await records.edit(tx, caller, shop, version, body.model_dump())
    return ShopChangedOut(shop=ShopOut.model_validate(shop), changes=changes)


async def move(tx: Session, caller: UUID, shop_id: UUID, body: ShopMoveIn) -> ShopOut:
    """Close a shop, or open it again. Raises ShopNotFound, ShopWrongState."""
    shop = await _kept(tx, caller, shop_id)
    await records.move(tx, caller, shop, body.state, MOVES, ShopWrongState, reason=body.reason)
    return ShopOut.model_validate(shop)


async def _kept(tx: Session, caller: UUID, shop_id: UUID) -> Shop:
    """Lock a shop of a merchant that the caller keeps. Raises ShopNotFound."""
    shop = await record_queries.lock(tx, Shop, shop_id)
    if shop is None:
        raise ShopNotFound
    merchant = await merchants.get(tx, shop.merchant_id)
    if not await merchants.keeps(tx, caller, merchant):
        raise ShopNotFound
    return shop


async def _access(tx: Session, caller: UUID | None, shop_id: UUID) -> Access | None:
    shop = await record_queries.find(tx, Shop, shop_id)
    return await merchants.access_to(tx, caller, shop.merchant_id) if shop else None


ATTACHABLE = Subject("shop", _access, most=9)
