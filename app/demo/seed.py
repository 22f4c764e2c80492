"""Demonstration data: 扬中市's divisions, the default policy, two counters, and nine people.

Loaded once, into an empty database, in development only.
"""

import csv
from uuid import UUID

from app.core.clock import BEGINNING
from app.core.db import Session
from app.core.keys import FieldCipher
from app.core.paging import PageParams
from app.demo.cast import (
    CARD_SERIALS,
    CAST,
    CITY,
    COMMUNITIES,
    DATA,
    FIXED_ORGS,
    MERCHANT_IDS,
    PERSON_IDS,
    RESIDENTS,
    SHOPS,
    STAFF_OF_PROVIDER,
    STREET,
    fixed_id,
)
from app.demo.means import Means
from app.integrations.wechat_sandbox.state import sandbox_openid
from app.models.merchants import Merchant, MerchantState
from app.models.orgs import Level, Org
from app.models.people import Role
from app.models.rewards import Reward, RewardState
from app.queries import orgs as org_queries
from app.queries import people as people_queries
from app.queries import policies as policy_queries
from app.queries.orgs import OrgFilter
from app.services import divisions, orgs, roles
from app.services.policies import publishing
from app.services.rewards import reading as rewards

NEIGHBOURS = 40
DIVISIONS = DATA / "divisions-yangzhong.csv"


async def load(tx: Session, means: Means, *, past: bool = False) -> bool:
    """Load all data unless there is a policy already; return whether it did.

    ``past``: with forty more residents and the three months behind them.
    """
    if await policy_queries.newest(tx):
        return False
    await _fixed_orgs(tx)
    await divisions.load(tx, DIVISIONS)
    await publish_default_policy(tx)
    city, street = await _org(tx, CITY), await _org(tx, STREET)
    people = {user: await _person(tx, means.cipher, user, name) for user, name in CAST.items()}
    await _grant(tx, people["admin"], Role.administrator, org=city.id)
    await _grant(tx, people["auditor"], Role.auditor, org=city.id)
    for user in ("organizer", "organizer2"):
        await _grant(tx, people[user], Role.organizer, org=street.id)
    for user, (name, kind) in SHOPS.items():
        state = MerchantState.active
        merchant = Merchant(
            id=MERCHANT_IDS[user], org_id=street.id, name=name, kind=kind, state=state
        )
        tx.add(merchant)
        await tx.flush()
        await _grant(tx, people[user], Role.merchant_staff, merchant=merchant.id)
        await _rewards(tx, street, merchant.id, user)
    if past:
        await live(tx, means)
    return True


async def live(tx: Session, means: Means) -> None:
    """Add forty residents to the data, and the three months behind everybody."""
    # production does not install what sets clocks
    from app.demo import past  # noqa: PLC0415
    from app.demo.county import County  # noqa: PLC0415

    neighbours = [
        await _person(tx, means.cipher, f"resident-{number:02}", name)
        for number, name in enumerate(RESIDENTS[:NEIGHBOURS], start=1)
    ]
    people = {user: await _found(tx, means.cipher, user) for user in CAST}
    street = await _org(tx, STREET)
    offered = await rewards.browse(tx, street.id, None, PageParams(limit=100))
    by_key = {one.key: one.id for one in offered.items}
    wanted = OrgFilter(street.id, Level.community)
    communities = await orgs.browse(tx, wanted, PageParams(limit=COMMUNITIES))
    county = County(
        means=means,
        city=fixed_id(0, CITY),
        street=street.id,
        communities=[one.id for one in communities.items],
        people=people,
        neighbours=neighbours,
        rewards=by_key,
    )
    await past.live(tx, county)


async def _fixed_orgs(tx: Session) -> None:
    """Insert the organisations that have fixed ids; the import of divisions links them."""
    with DIVISIONS.open(encoding="utf-8", newline="") as source:
        rows = [row for row in csv.DictReader(source) if row["code"] in FIXED_ORGS]
    path = "/"
    for row in rows:  # from the top down, each below the one before
        code = row["code"]
        path += f"{code}/"
        fixed = fixed_id(0, code)
        tx.add(Org(id=fixed, code=code, name=row["name"], level=row["level"], path=path))
    await tx.flush()


async def _found(tx: Session, cipher: FieldCipher, user: str) -> UUID:
    person = await people_queries.find_by_openid(tx, cipher.indexes(sandbox_openid(user)))
    assert person is not None, "one of the cast"
    return person.id


async def publish_default_policy(tx: Session) -> int:
    """Publish the default 积分管理办法 shipped with the project; return its version."""
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
        person_id=PERSON_IDS.get(user),
        serial=CARD_SERIALS.get(user),
    )
    assert made is not None, "the database was empty"
    return made


async def _grant(
    tx: Session, person: UUID, role: Role, *, org: UUID | None = None, merchant: UUID | None = None
) -> None:
    if merchant is not None:
        await roles.appoint_staff(tx, None, person, merchant)
    elif org is not None:
        await roles.appoint_at_org(tx, None, person, role, org)


async def _rewards(tx: Session, street: Org, merchant: UUID, user: str) -> None:
    with (DATA / "policy-rewards.csv").open(encoding="utf-8", newline="") as source:
        for place, row in enumerate(csv.DictReader(source), start=1):
            if STAFF_OF_PROVIDER[row["provider"]] == user:
                tx.add(
                    Reward(
                        id=fixed_id(3, place),
                        org_id=street.id,
                        merchant_id=merchant,
                        key=row["key"],
                        name=row["name_zh"],
                        name_en=row["name_en"],
                        kind=row["kind"],
                        points=int(row["points"]),
                        stock=int(row["stock"]) if row["stock"] else None,
                        stock_period=row["stock_period"] or None,
                        limit_per_member=int(row["limit_per_member"] or 0) or None,
                        limit_period=row["limit_period"] or None,
                        min_tier=row["min_tier"],
                        state=RewardState.published,
                    )
                )
    await tx.flush()
