"""Today of the demonstration data: what runs, what comes, what the counters and alice did.

All times are relative to now: it can be made at any hour. What has to be of today happens now.
"""

from datetime import timedelta
from uuid import UUID

from app.core.clock import local_date, midnight, now
from app.core.db import Session
from app.demo import places, programme
from app.demo.county import County, clock_at, held
from app.models.activities import Category
from app.schemas.activities import ActivityIn
from app.schemas.activity_messages import ActivityMessageIn
from app.schemas.co_organizers import CoOrganizerIn
from app.schemas.redemptions import RedemptionIn, RefundIn
from app.services import activities, activity_messages, cards, checkins, co_organizers, signups
from app.services.checkins import Scan
from app.services.merchants.access import Staff
from app.services.organizing import ending
from app.services.redemptions import charges, collecting, refunds, reservations, undoing
from app.services.redemptions.charges import ChargeCommand

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RUNNING_FOR = timedelta(minutes=40)
ACTIVITIES = 3  # alice is signed up to each
TEA, CAKE = 6, 9  # points


async def play(tx: Session, county: County) -> None:
    await _running(tx, county)
    await _tomorrow(tx, county)
    await _waiting(tx, county)
    await _open(tx, county)
    await _cancelled(tx, county)
    await _counters(tx, county)


async def _running(tx: Session, county: County) -> None:
    """An activity that began a while ago: some have checked in, alice has not yet."""
    alice, at = county.people["alice"], now()
    starts_at = at - RUNNING_FOR
    body = ActivityIn(
        org_id=county.street,
        title="青年之家开放日",
        description="参观共享空间、工具屋和议事厅，自由交流。",
        category=Category.social_life,
        starts_at=starts_at,
        ends_at=starts_at + 4 * HOUR,
        capacity=40,
        rule_key="activity_checkin",
        location=places.YOUTH_HOME,
    )
    early = county.neighbours[:12]
    with clock_at(tx, starts_at - HOUR):
        made = await programme.publish(tx, county, body, "people", 4)
        await programme.sign_up(tx, made, [alice, *early])
    serial = (await activities.organized(tx, county.people["organizer"], made)).serial
    with clock_at(tx, starts_at) as moment:
        scans = [
            Scan(serial, person, programme.near(places.YOUTH_HOME, number))
            for number, person in enumerate(early)
        ]
        held(await checkins.record(tx, scans, moment))


async def _tomorrow(tx: Session, county: County) -> None:
    """An activity of tomorrow: alice has a place, bob helps to organize, a message was sent."""
    starts_at = midnight(local_date(now()) + DAY) + 10 * HOUR
    body = ActivityIn(
        org_id=county.community,
        title="文化新村楼道清洁",
        description="带上手套，十点在社区居委会门口集合，午饭前结束。",
        category=Category.volunteer_service,
        starts_at=starts_at,
        ends_at=starts_at + 2 * HOUR,
        capacity=20,
        rule_key="volunteer_hour",
        location=places.COMMUNITY,
    )
    made = await programme.publish(tx, county, body, "house", 2)
    signed_up = await programme.sign_up(
        tx, made, [county.people["alice"], *county.neighbours[12:20]]
    )
    await signups.cancel(tx, county.neighbours[19], signed_up[-1])
    organizer = county.people["organizer"]
    helper = CoOrganizerIn(person_id=county.people["bob"])
    await co_organizers.add(tx, organizer, made, helper)
    said = ActivityMessageIn(text="明天有风，请穿外套；手套和口罩由社区准备。")
    await activity_messages.send(tx, organizer, made, said)


async def _waiting(tx: Session, county: County) -> None:
    """An activity of some days later, which is full: alice is second in the waiting list."""
    starts_at = midnight(local_date(now()) + 3 * DAY) + 19 * HOUR
    body = ActivityIn(
        org_id=county.street,
        title="青年夜校：手冲咖啡",
        description="从磨豆到冲煮，材料由青年咖啡馆提供。",
        category=Category.culture,
        starts_at=starts_at,
        ends_at=starts_at + 2 * HOUR,
        capacity=8,
        rule_key="activity_checkin",
        location=places.LIBRARY,
    )
    made = await programme.publish(tx, county, body, "cup", 6)
    before = county.neighbours[20:29]
    await programme.sign_up(tx, made, [*before, county.people["alice"], county.neighbours[30]])


async def _open(tx: Session, county: County) -> None:
    """An activity with places left, to which alice may sign up."""
    starts_at = midnight(local_date(now()) + 6 * DAY) + 18 * HOUR
    body = ActivityIn(
        org_id=county.communities[1],
        title="江堤夜跑",
        tags=["夜跑", "户外"],
        description="沿江堤慢跑五公里，跑前热身，跑后拉伸；请穿亮色衣服。",
        category=Category.health,
        starts_at=starts_at,
        ends_at=starts_at + 2 * HOUR,
        capacity=30,
        rule_key="activity_checkin",
        location=places.EMBANKMENT,
    )
    made = await programme.publish(tx, county, body, "river", 2)
    await programme.sign_up(tx, made, county.neighbours[5:12])


async def _cancelled(tx: Session, county: County) -> None:
    """An activity that the organizer cancelled; the rule asks for more than attendance."""
    starts_at = midnight(local_date(now()) + 5 * DAY) + 14 * HOUR
    body = ActivityIn(
        org_id=county.street,
        title="青年议事会：共享单车停放",
        description="一起看现场、提建议，形成会议记录。",
        category=Category.property_affairs,
        starts_at=starts_at,
        ends_at=starts_at + 2 * HOUR,
        capacity=15,
        rule_key="council_attend",
        location=places.YOUTH_HOME,
    )
    made = await programme.publish(tx, county, body, "people", 1)
    await programme.sign_up(tx, made, county.neighbours[30:34])
    reason = "场地检修，改期另行通知"
    await ending.cancel(tx, county.people["organizer"], made, reason)


async def _counters(tx: Session, county: County) -> None:
    """Charges, one refunded, one in part; collections; alice's is undone, then cancelled."""
    alice, first, second = county.people["alice"], county.neighbours[0], county.neighbours[1]
    cafe, counter = Staff(county.people["merchant"]), Staff(county.people["merchant2"])
    await _charge(tx, county, first, TEA, "柠檬茶")
    wrong = await _charge(tx, county, alice, CAKE, "芝士蛋糕")
    await refunds.refund(tx, cafe, wrong, RefundIn(reason="点错了，未取餐"))
    partly = await _charge(tx, county, second, CAKE, "蛋糕与茶")
    await refunds.refund(tx, cafe, partly, RefundIn(reason="茶已售完", points=TEA // 2))
    for person in (first, second):
        wanted = RedemptionIn(reward_id=county.rewards["soap"])
        reserved = await reservations.reserve(tx, person, wanted)
        await collecting.collect_one(tx, counter, reserved.pickup_code)
    unwanted = RedemptionIn(reward_id=county.rewards["donate"])
    reserved = await reservations.reserve(tx, alice, unwanted)
    await collecting.collect_one(tx, counter, reserved.pickup_code)
    undone = await undoing.undo(tx, counter, reserved.id, "扫错了领取码")
    await reservations.cancel(tx, alice, undone.replaced_by)


async def _charge(tx: Session, county: County, person: UUID, points: int, note: str) -> UUID:
    code = (await cards.code(tx, person)).code
    command = ChargeCommand(county.people["merchant"], code, points, note)
    [made] = held(await charges.charge(tx, [command], now()))
    return made.id
