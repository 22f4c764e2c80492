"""Organisations of the demonstration data: contacts, funds, appointments, what waits for decisions.

Made by the services, as administrators and organizers would.
"""

from datetime import timedelta

from app.core.clock import now
from app.core.db import Session
from app.core.paging import PageParams
from app.demo import pictures, places
from app.demo.cast import MERCHANT_IDS
from app.demo.county import County, Uncounted
from app.models.activities import Category
from app.models.funds import ReceiptForm, ReceiptKind
from app.models.orgs import Level
from app.models.people import Role
from app.queries.orgs import OrgFilter
from app.schemas.activity_templates import ActivityTemplateIn
from app.schemas.awards.proposals import AwardsIn
from app.schemas.awards.review import ObjectionIn
from app.schemas.deductions import AppealIn, DeductionIn
from app.schemas.funds import ReceiptIn, ReceiptReversalIn
from app.schemas.roles import TermIn
from app.services import (
    activity_templates,
    appointments,
    deductions,
    funds,
    org_changes,
    orgs,
)
from app.services.attachments.subjects import SubjectRef
from app.services.awards import proposals, public_notice, review

A_YEAR = timedelta(days=365)


async def settle(tx: Session, county: County) -> None:
    """Contacts of the city, the streets and some communities; a donation; a template."""
    admin = county.people["admin"]
    streets = await orgs.browse(tx, OrgFilter(county.city, Level.street), PageParams(limit=100))
    offices = (county.city, *(one.id for one in streets.items), *county.communities)
    for place, org_id in enumerate(offices):
        name = (await orgs.get(tx, org_id)).name
        await org_changes.set_contact(tx, admin, org_id, places.contact(place, name))
    given = ReceiptIn(
        kind=ReceiptKind.donation,
        points=5000,
        giver="扬中市青年企业家协会",
        note="用于青年志愿服务",
        form=ReceiptForm.goods,
        value_cents=500_000,
        goods="洗衣液 200 瓶",
    )
    receipt = await funds.receive(tx, admin, county.street, given)
    subject = SubjectRef("fund_receipt", receipt.id)
    await pictures.attach(tx, county.means, admin, subject, "box", 3)
    template = ActivityTemplateIn(
        org_id=county.street,
        name="江堤清洁（每次三小时）",
        title="江堤清洁志愿服务",
        description="带上手套和水杯，在江堤入口集合。",
        category=Category.volunteer_service,
        minutes=180,
        capacity=24,
        rule_key="volunteer_hour",
        location=places.EMBANKMENT,
    )
    await activity_templates.create(tx, county.people["organizer"], template)


async def what_waits(tx: Session, county: County) -> None:
    """Today: a budget, appointments, awards under review and in notice, an objection, an appeal."""
    admin, neighbours = county.people["admin"], county.neighbours
    budget = ReceiptIn(
        kind=ReceiptKind.budget, points=2000, giver="三茅街道团工委", note="本季度预算"
    )
    await funds.receive(tx, admin, county.street, budget)
    await _mistaken(tx, county)
    ends_at = now() + A_YEAR
    term = TermIn(role=Role.organizer, org_id=county.community, until=ends_at)
    offered = await appointments.offer(tx, admin, term)
    await appointments.accept(tx, neighbours[9], offered.code)
    term = TermIn(
        role=Role.merchant_staff,
        merchant_id=MERCHANT_IDS["merchant"],
        until=ends_at,
        **{"from": now() + timedelta(days=1)},
    )
    await appointments.offer(tx, admin, term)
    await _awards(tx, county)
    breach = DeductionIn(
        rule_key="late_cancel",
        org_id=county.street,
        person_id=neighbours[8],
        evidence={"activity": "社区敬老陪伴"},
    )
    made = await deductions.deduct(tx, county.people["organizer"], breach, Uncounted())
    reason = AppealIn(reason="我提前一天打过电话请假，值班同志可以作证。")
    await deductions.appeal(tx, neighbours[8], made.id, reason)


async def _mistaken(tx: Session, county: County) -> None:
    """A donation that was entered with a nought too many: its reversal waits for another."""
    admin = county.people["admin"]
    given = ReceiptIn(
        kind=ReceiptKind.donation, points=20000, giver="江洲路爱心超市", note="爱心捐赠"
    )
    receipt = await funds.receive(tx, admin, county.street, given)
    why = ReceiptReversalIn(reason="多打了一个零")
    await funds.propose_reversal(tx, admin, county.street, receipt.id, why)


async def _awards(tx: Session, county: County) -> None:
    """Of two proposals one waits for its review; the other is in public notice, with objection."""
    alice, organizer = county.people["alice"], county.people["organizer"]
    for document, people in (
        ("三茅〔2026〕18号", [alice, county.neighbours[1]]),
        ("三茅〔2026〕17号", [county.neighbours[2], alice]),
    ):
        body = AwardsIn(
            rule_key="commendation",
            grade="town",
            org_id=county.street,
            person_ids=people,
            evidence={"document": document, "public_notice": "街道公示栏，5 日"},
        )
        proposed = [
            one.award.id
            for one in (await proposals.propose(tx, organizer, body, Uncounted())).items
        ]
    for award in proposed:
        subject = SubjectRef("award", award)
        await pictures.attach(tx, county.means, organizer, subject, "book", 5)
        await review.approve(tx, county.people["organizer2"], award)
    doubt = ObjectionIn(reason="名单上的服务日期与签到记录不一致，请核对。")
    await public_notice.object_to(tx, county.people["bob"], proposed[0], doubt)
