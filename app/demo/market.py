"""Merchants and rewards of the demonstration data: shops, visits, pictures, what to know of each.

Made by the services, as organizers and staff would.
"""

from datetime import timedelta
from typing import Any

from app.core.clock import local_date, now
from app.core.db import Session
from app.core.paging import PageParams
from app.demo import pictures, places
from app.demo.cast import MERCHANT_IDS
from app.demo.county import County
from app.models.merchants import MerchantKind
from app.models.rewards import RewardKind
from app.schemas.merchants import MerchantIn, VisitIn
from app.schemas.rewards import (
    RewardDetailOut,
    RewardEditIn,
    RewardIn,
    RewardTermsIn,
    StockMovementIn,
)
from app.services import shops
from app.services.attachments.subjects import SubjectRef
from app.services.merchants import register
from app.services.rewards import editing, reading

MERCHANT_MOTIFS = {"merchant": "cup", "merchant2": "house"}
REWARD_MOTIFS = {"goods": "box", "voucher": "ticket", "place": "people", "donation": "house"}
TERMS = {
    "goods": "当面清点，领取后不退换；七天内未领取自动退回积分。",
    "voucher": "到店出示领取码，一人一券，不找零、不折现。",
    "place": "预约后请按时到场，无故缺席按积分办法扣分。",
    "donation": "积分转入公益银行，用于困难家庭，每季度公示。",
}
OFFERED_FOR, PLACES_FOR = timedelta(days=90), timedelta(days=270)


async def open_merchants(tx: Session, county: County) -> None:
    """Give each merchant a profile, shops, a visit and pictures; its staff keep them."""
    organizer = county.people["organizer"]
    for user, merchant_id in MERCHANT_IDS.items():
        staff = county.people[user]
        await register.edit(tx, staff, merchant_id, 1, places.PROFILES[user])
        seen = VisitIn(visited_on=local_date(now()), note="店面在营业，已看营业执照和食品证照。")
        await register.visit(tx, organizer, merchant_id, seen)
        subject, motif = SubjectRef("merchant", merchant_id), MERCHANT_MOTIFS[user]
        await pictures.attach(tx, county.means, staff, subject, motif)
        for number, shop in enumerate(places.SHOPS[user]):
            made = await shops.create(tx, staff, merchant_id, shop)
            subject = SubjectRef("shop", made.id)
            await pictures.attach(tx, county.means, staff, subject, motif, number + 1)


async def describe_rewards(tx: Session, county: County) -> None:
    """Say of each reward what to know, where and when to collect it, and show it."""
    organizer = county.people["organizer"]
    found = await reading.browse_all(tx, organizer, county.street, None, PageParams(limit=100))
    users = {merchant: user for user, merchant in MERCHANT_IDS.items()}
    for number, reward in enumerate(found.items):
        await editing.edit(
            tx, organizer, reward.id, reward.version, _described(reward, users[reward.merchant_id])
        )
        subject, motif = SubjectRef("reward", reward.id), REWARD_MOTIFS[reward.kind]
        await pictures.attach(tx, county.means, organizer, subject, motif, number)
    arrived = StockMovementIn(change=20, reason="供货商补货")
    await editing.move_stock(tx, organizer, county.rewards["soap"], arrived)


async def what_is_new(tx: Session, county: County) -> None:
    """An application that waits for a decision, after its visit; a reward in draft."""
    organizer = county.people["organizer"]
    asked = MerchantIn(
        org_id=county.street,
        name="江岸花店",
        kind=MerchantKind.shop,
        description="鲜花与盆栽，持青享卡可用积分。",
        phone="0511-88320004",
        hours="每天 8:30 至 20:00",
    )
    made = await register.apply(tx, county.neighbours[5], asked)
    seen = VisitIn(visited_on=local_date(now()), note="店主为本社区青年，愿意每束收五分。")
    await register.visit(tx, organizer, made.id, seen)
    bag = RewardIn(
        merchant_id=MERCHANT_IDS["merchant2"],
        key="notebook",
        name="青年之家笔记本",
        name_en="Notebook of the youth home",
        kind="goods",
        points=12,
        stock=50,
        stock_period="month",
        limit_per_member=1,
        limit_period="month",
        min_tier="sprout",
        offered_from=now() + timedelta(days=7),
        offered_until=now() + OFFERED_FOR,
        terms=TERMS["goods"],
        pickup_place=places.SHOPS["merchant2"][0].name,
        pickup_hours=places.SHOPS["merchant2"][0].hours,
    )
    await editing.create(tx, organizer, bag)


def _described(reward: RewardDetailOut, user: str) -> RewardEditIn:
    """Return the terms of a reward with what people should know of it."""
    same = reward.model_dump(include=set(RewardTermsIn.model_fields))
    told: dict[str, Any] = {
        "name": reward.name_zh,
        "terms": TERMS[reward.kind],
        "pickup_place": places.SHOPS[user][0].name,
        "pickup_hours": places.SHOPS[user][0].hours,
        "reason": "补充兑换说明",
    }
    if reward.kind == RewardKind.place:
        told |= {"offered_from": now(), "offered_until": now() + PLACES_FOR}
    return RewardEditIn.model_validate(same | told)
