"""Demonstration data: 扬中市's divisions, the default policy, two counters, and the cast.

Loaded once, into an empty database, in development only.
"""

import csv
from importlib.resources import files
from pathlib import Path
from uuid import UUID

from app.core.clock import BEGINNING
from app.core.db import Session
from app.core.keys import FieldCipher
from app.integrations.wechat_sandbox import sandbox_openid
from app.models.merchants import Merchant, MerchantKind
from app.models.orgs import Org
from app.models.people import Role
from app.models.rewards import Reward
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.queries import policies as policy_queries
from app.services import orgs
from app.services.policies import publishing

DATA = Path(str(files("app") / "data"))
CITY, STREET = "321182", "321182001"  # 扬中市, 三茅街道
# Sandbox user → the name that the person goes by.
CAST = {
    "admin": "王建国",
    "auditor": "李审之",
    "organizer": "陈组织",
    "merchant": "赵小店",
    "merchant2": "钱柜台",
    "alice": "张爱丽",
    "bob": "刘博文",
    "carol": "周可欣",
}
SHOPS = {
    "merchant": ("三茅青年咖啡馆", MerchantKind.shop),
    "merchant2": ("三茅公益银行兑换点", MerchantKind.fund_counter),
}
# Whose counter hands out what: shops their vouchers, the 公益银行 the goods.
STAFF_OF_PROVIDER = {"青年商户": "merchant", "公益银行": "merchant2", "青年之家": "merchant2"}


async def load(tx: Session, cipher: FieldCipher) -> bool:
    """Load everything, unless a policy is there already; return whether it did."""
    if await policy_queries.newest(tx):
        return False
    await orgs.import_divisions(tx, DATA / "divisions-yangzhong.csv")
    await publish_default_policy(tx)
    city, street = await _org(tx, CITY), await _org(tx, STREET)
    people = {user: await _person(tx, cipher, user, name) for user, name in CAST.items()}
    await _grant(tx, people["admin"], Role.administrator, org=city.id)
    await _grant(tx, people["auditor"], Role.auditor, org=city.id)
    await _grant(tx, people["organizer"], Role.organizer, org=street.id)
    for user, (name, kind) in SHOPS.items():
        merchant = Merchant(org_id=street.id, name=name, kind=kind)
        tx.add(merchant)
        await tx.flush()
        await _grant(tx, people[user], Role.merchant_staff, merchant=merchant.id)
        await _rewards(tx, street, merchant.id, user)
    return True


async def publish_default_policy(tx: Session) -> int:
    """Publish the default 积分管理办法, shipped with the project; return its version."""
    source = (DATA / "policy.toml").read_text(encoding="utf-8")
    return await publishing.publish(tx, source, effective_from=BEGINNING)


async def _org(tx: Session, code: str) -> Org:
    org = await org_queries.find_by_code(tx, code)
    assert org is not None, "the shipped divisions hold it"
    return org


async def _person(tx: Session, cipher: FieldCipher, user: str, name: str) -> UUID:
    openid = sandbox_openid(user)
    made = await people_queries.add(
        tx,
        openid_index=cipher.indexes(openid)[0],
        openid_sealed=cipher.seal(openid),
        display_name=name,
    )
    assert made is not None, "the database was empty"
    return made


async def _grant(
    tx: Session, person: UUID, role: Role, *, org: UUID | None = None, merchant: UUID | None = None
) -> None:
    await people_queries.grant_role(tx, person, role, org=org, merchant=merchant)


async def _rewards(tx: Session, street: Org, merchant: UUID, user: str) -> None:
    with (DATA / "policy-rewards.csv").open(encoding="utf-8", newline="") as source:
        for row in csv.DictReader(source):
            if STAFF_OF_PROVIDER[row["provider"]] == user:
                tx.add(
                    Reward(
                        org_id=street.id,
                        merchant_id=merchant,
                        key=row["key"],
                        name=row["name_zh"],
                        kind=row["kind"],
                        points=int(row["points"]),
                        stock=int(row["stock"]) if row["stock"] else None,
                        stock_period=row["stock_period"] or None,
                        limit_per_member=int(row["limit_per_member"] or 0) or None,
                        limit_period=row["limit_period"] or None,
                        min_tier=row["min_tier"],
                    )
                )
    await tx.flush()
