"""Subscriptions (订阅消息): which messages of WeChat a person accepted."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Reader, Templates, Tx
from app.api.operations import leads_to
from app.api.routes import Router
from app.core.language import Bilingual
from app.schemas.subscriptions import SubscriptionsIn, SubscriptionsOut
from app.services import subscriptions

ABOUT = Bilingual("微信订阅消息的授权", "Messages of WeChat that the caller accepted")
router = Router(tags=["subscriptions"], about=ABOUT)


@router.get("/me/subscriptions", operation_id="listMySubscriptions", **allow(RESIDENT))
@leads_to("answerSubscriptions", {"body.answers.0.template_id": "items/0/template_id"})
async def list_my_subscriptions(
    tx: Reader, templates: Templates, person_id: CurrentPerson
) -> SubscriptionsOut:
    """Return the templates to ask for by `wx.requestSubscribeMessage`, with the credits left."""
    return await subscriptions.mine(tx, templates, person_id)


@router.post(
    "/me/subscriptions",
    operation_id="answerSubscriptions",
    **allow(RESIDENT, body=True, once=True),
)
async def answer_subscriptions(
    body: SubscriptionsIn, tx: Tx, templates: Templates, person_id: CurrentPerson
) -> SubscriptionsOut:
    """Tell what the caller answered to `wx.requestSubscribeMessage`.

    Each accept is good for one message of the template.
    """
    return await subscriptions.answer(tx, templates, person_id, body)
