"""The texts of a statement, Chinese and English, shared by page and spreadsheet."""

from typing import NamedTuple

from app.schemas import accounts
from app.services.ledger.statement import Heading


class Words(NamedTuple):
    zh: str
    en: str


class Fact(NamedTuple):
    words: Words
    value: str | int


SUBTITLE = "Statement of account"
TOTAL = Words("合计", "Total")
CLOSING = Words("期末余额", "Closing balance")
OPENING = Words("期初余额", "Opening balance")
COLUMNS = (
    Words("序号", "No."),
    Words("时间", "Time (Shanghai)"),
    Words("摘要", "Description"),
    Words("类型", "Kind"),
    Words("收入", "In"),
    Words("支出", "Out"),
    Words("余额", "Balance"),
    Words("凭证号", "Voucher"),
)
KINDS = {kind: Words(zh, en.capitalize()) for kind, (zh, en) in accounts.KINDS.items()}
_BOOKED = Words(
    "本对账单只列已入账的收支：待生效的积分不在其中；已到期而尚未扣除的积分仍计入余额。",
    "Booked entries only: pending points are not in it, and points that have expired count"
    " until they are taken away.",
)
_ADJOINING = Words(
    "收支按序号排列，每一笔只属于一个期间：本期期初余额等于上期期末余额。",
    "Entries stand in the order of their numbers and belong to one period each: a period opens"
    " with the balance that closed the one before.",
)
_SEALED = Words(
    "核对方法：封存日及以前的账目由上列封存值锁定。请与 GET /api/v1/ledger/seals 公布的封存值比对；"
    "每一笔的证明见 GET /api/v1/me/points/entries/{序号}/proof。",
    "To check: the seal above binds all entries up to its day. Compare it with the published one"
    " (GET /api/v1/ledger/seals); /api/v1/me/points/entries/{number}/proof proves an entry.",
)
_NOT_SEALED = Words(
    "本期账目尚未封存。每日账目于次日封存，封存值公布于 GET /api/v1/ledger/seals；"
    "届时重新制表，即载有封存值。",
    "No day of this period is sealed yet. A day is sealed once it is over, and its seal published"
    " (GET /api/v1/ledger/seals): a statement that is made then shows it.",
)


def facts(heading: Heading) -> list[Fact]:
    """Return holder, period and times of the statement."""
    return [
        Fact(Words("昵称", "Nickname"), heading.holder),
        Fact(Words("编号末位", "Id ends in"), heading.holder_id.hex[-6:]),
        Fact(Words("项目", "Programme"), heading.unit),
        Fact(Words("期间", "Period"), f"{heading.period.since} — {heading.period.until}"),
        Fact(Words("制表时间", "Made at (Shanghai)"), f"{heading.made_at}"),
        Fact(Words("笔数", "Entries"), heading.entries),
        Fact(OPENING, heading.opening),
        Fact(CLOSING, heading.closing),
    ]


def owed(heading: Heading) -> list[Fact]:
    """Return the text on owed points: reversed after they had been spent."""
    before, after = heading.owed
    if before == after == 0:
        return []
    return [
        Fact(Words("期初待偿还积分", "Owed before"), before),
        Fact(Words("期末待偿还积分", "Owed after"), after),
    ]


def minutes(heading: Heading) -> list[Fact]:
    """Return the text on minutes of volunteering."""
    before, after = heading.minutes
    return [
        Fact(Words("期初志愿时长（分）", "Minutes before"), before),
        Fact(Words("本期增减", "Change"), after - before),
        Fact(Words("期末志愿时长（分）", "Minutes after"), after),
    ]


def seal(heading: Heading) -> list[Fact]:
    """Return the published seal; its short form can be compared by eye."""
    if heading.seal is None:
        return []
    value = heading.seal.seal.hex()
    return [
        Fact(Words("封存日", "Sealed until"), f"{heading.seal.day}"),
        Fact(Words("封存值简码", "Seal, short"), " ".join((value[:4], value[4:8], value[8:12]))),
        Fact(Words("封存值", "Seal"), value),
        Fact(Words("当日根值", "Root of that day"), heading.seal.root.hex()),
    ]


def notes(heading: Heading) -> list[Words]:
    """Return the notes: what is not included, and how to verify what is."""
    return [_BOOKED, _ADJOINING, _SEALED if heading.seal else _NOT_SEALED]
