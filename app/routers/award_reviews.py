"""Reviews of many awards at once."""

from app.api.access import ORGANIZER, allow
from app.api.deps import CurrentPerson, Tx
from app.api.routes import Router
from app.core.language import Bilingual
from app.schemas.award_reviews import ApprovalsIn, RejectionsIn, ReviewsOut
from app.services import award_reviews
from app.services.awards import review

ABOUT = Bilingual("批量审核积分", "Reviews of many awards at once")
router = Router(tags=["award_reviews"], about=ABOUT)
APPROVE = award_reviews.REFUSALS
REJECT = tuple(one for one in APPROVE if one is not review.EvidenceMissing)


@router.post(
    "/awards/approvals",
    operation_id="approveAwards",
    **allow(ORGANIZER, *APPROVE, body=True, once=True),
)
async def approve_awards(body: ApprovalsIn, tx: Tx, person_id: CurrentPerson) -> ReviewsOut:
    """Approve up to 200 pending awards: all or none, or with ``partial`` an outcome for each.

    What need not wait is released at once.
    """
    return await award_reviews.approve(tx, person_id, body)


@router.post(
    "/awards/rejections",
    operation_id="rejectAwards",
    **allow(ORGANIZER, *REJECT, body=True, once=True),
)
async def reject_awards(body: RejectionsIn, tx: Tx, person_id: CurrentPerson) -> ReviewsOut:
    """Reject up to 200 awards that are not paid: all or none, or with ``partial`` each."""
    return await award_reviews.reject(tx, person_id, body)
