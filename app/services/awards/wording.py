"""How an award is told to a person."""

from app.core.db import Row
from app.core.errors import Language
from app.models.awards import Award, AwardReason
from app.queries.awards.granting import NewAward
from app.schemas.awards import AwardOut

SENTENCES: dict[AwardReason, tuple[str, str]] = {
    AwardReason.full: ("按规则足额计分", "Full points by the rule."),
    AwardReason.cap_day: ("已达本规则每日上限", "Limited by the rule's daily cap."),
    AwardReason.cap_month: ("已达本规则每月上限", "Limited by the rule's monthly cap."),
    AwardReason.cap_year: ("已达本规则每年上限", "Limited by the rule's yearly cap."),
    AwardReason.overall_day: ("已达每日总上限", "Limited by the overall daily cap."),
    AwardReason.overall_month: ("已达每月总上限", "Limited by the overall monthly cap."),
    AwardReason.overall_year: ("已达每年总上限", "Limited by the overall yearly cap."),
    AwardReason.once: ("该项积分已领取过", "These points are given once."),
}


def to_out(award: Award | NewAward | Row, language: Language) -> AwardOut:
    zh, en = SENTENCES[AwardReason(award.reason)]
    return AwardOut(
        id=award.id,
        points=award.points,
        minutes=award.minutes,
        state=award.state,
        rule_key=award.rule_key,
        reason=zh if language == "zh-CN" else en,
    )
