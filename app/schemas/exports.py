"""The words of exported files: what heads a column, and what the values of enums are called.

A list is exported field by field. A field without a heading keeps the service from starting:
add it here if several nouns have it, else to ``HEADINGS`` of the noun's own schema module.
Nested fields go by their path (``actor.display_name``), else by their own name.
"""

from app.core.language import Bilingual

HEADINGS: dict[str, Bilingual] = {
    "id": Bilingual("编号", "Id"),
    "org_id": Bilingual("组织编号", "Organisation id"),
    "person_id": Bilingual("人员编号", "Person id"),
    "award_id": Bilingual("积分记录编号", "Award id"),
    "proposal_id": Bilingual("申报编号", "Proposal id"),
    "request_id": Bilingual("请求编号", "Request id"),
    "display_name": Bilingual("姓名", "Name"),
    "title": Bilingual("名称", "Title"),
    "rule_key": Bilingual("规则", "Rule"),
    "kind": Bilingual("类型", "Kind"),
    "state": Bilingual("状态", "State"),
    "reason": Bilingual("原因", "Reason"),
    "note": Bilingual("备注", "Note"),
    # Amounts.
    "points": Bilingual("积分", "Points"),
    "points_asked": Bilingual("应扣积分", "Points asked"),
    "minutes": Bilingual("志愿时长（分钟）", "Minutes of service"),
    "left": Bilingual("剩余积分", "Points left"),
    # Times, in Asia/Shanghai.
    "at": Bilingual("时间", "Time (Shanghai)"),
    "created_at": Bilingual("创建时间", "Created at (Shanghai)"),
    "awarded_at": Bilingual("发放时间", "Awarded at (Shanghai)"),
    "release_at": Bilingual("到账时间", "Released at (Shanghai)"),
    "expires_at": Bilingual("到期时间", "Expires at (Shanghai)"),
    "appeal_until": Bilingual("申诉截止时间", "Appeal until (Shanghai)"),
    # Awards, deductions and what others say to them.
    "evidence": Bilingual("佐证", "Evidence"),
    "proposed_by": Bilingual("申报人编号", "Proposed by (id)"),
    "reviews_needed": Bilingual("所需审核人数", "Reviews needed"),
    "approvals": Bilingual("已通过人数", "Approvals"),
    "has_objection": Bilingual("有异议", "Has an objection"),
    "objections": Bilingual("异议", "Objections"),
    "upheld": Bilingual("成立", "Upheld"),
    "appeal": Bilingual("申诉", "Appeal"),
    "decision": Bilingual("处理结果", "Decision"),
    # Funds and merchants.
    "giver": Bilingual("来源", "Giver"),
    "person.display_name": Bilingual("付款人", "Payer"),
    # The audit trail.
    "actor.id": Bilingual("操作人编号", "Actor id"),
    "actor.display_name": Bilingual("操作人", "Actor"),
    "verb": Bilingual("操作", "Verb"),
    "subject.type": Bilingual("对象类型", "Subject type"),
    "subject.id": Bilingual("对象编号", "Subject id"),
    "from_state": Bilingual("原状态", "From"),
    "to_state": Bilingual("新状态", "To"),
    "fields": Bilingual("字段", "Fields"),
    "facts": Bilingual("明细", "Facts"),
}
YES, NO = Bilingual("是", "yes"), Bilingual("否", "no")

_STATES = {
    "pending_budget": Bilingual("待拨付", "waits for the fund"),
    "pending": Bilingual("待审核或待到账", "pending"),
    "notice": Bilingual("公示中", "in public notice"),
    "available": Bilingual("已到账", "available"),
    "rejected": Bilingual("未通过", "rejected"),
    "reversed": Bilingual("已冲正", "reversed"),
    "spent": Bilingual("已用完", "spent"),
    "expired": Bilingual("已到期", "expired"),
    "standing": Bilingual("生效", "standing"),
    "appealed": Bilingual("申诉中", "appealed"),
    "upheld": Bilingual("申诉不成立", "upheld"),
    "revoked": Bilingual("已撤销", "revoked"),
    "draft": Bilingual("草稿", "draft"),
    "published": Bilingual("已发布", "published"),
}
# Values by the field's name. A value that has no words here stands as it is on the wire.
VALUES: dict[str, dict[str, Bilingual]] = {
    "state": _STATES,
    "from_state": _STATES,
    "to_state": _STATES,
    "kind": {
        "donation": Bilingual("捐赠", "donation"),
        "budget": Bilingual("预算拨入", "budget"),
        "charge": Bilingual("消费", "charge"),
        "refund": Bilingual("退款", "refund"),
        "collect": Bilingual("领取", "collected"),
    },
    "verb": {
        **_STATES,
        "created": Bilingual("创建", "created"),
        "changed": Bilingual("修改", "changed"),
        "moved": Bilingual("变更状态", "moved"),
        "published": Bilingual("发布", "published"),
        "proposed": Bilingual("申报", "proposed"),
        "approved": Bilingual("审核通过", "approved"),
        "refunded": Bilingual("退款", "refunded"),
        "objection_upheld": Bilingual("异议成立", "objection upheld"),
        "objection_dismissed": Bilingual("异议不成立", "objection dismissed"),
        "exported": Bilingual("导出", "exported"),
    },
}
