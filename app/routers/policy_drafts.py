"""Drafts of points rules: checked, compared with the rules in force, published."""

from dataclasses import replace

from app.api.access import ADMINISTRATOR, allow
from app.api.deps import CurrentPerson, IfMatch, Reader, Tx
from app.api.operations import takes_document
from app.api.routes import Router
from app.core.language import Bilingual
from app.core.ratelimit import Limit
from app.schemas.policy_drafts import (
    PolicyCheckOut,
    PolicyDiffOut,
    PolicyDraftIn,
    PublicationIn,
    PublicationOut,
)
from app.services import policy_drafts
from app.services.orgs import OrgClosed, OrgNotFound
from app.services.policy_drafts import DraftInvalid, PublicationTimeWrong

ABOUT = Bilingual(
    "积分管理办法的起草：检查、比较、发布", "Points rules: checked, compared and published"
)
router = Router(prefix="/policies", tags=["policy_drafts"], about=ABOUT)
# A document takes up to half a second of a processor: thirty at once, then one in two seconds.
DRAFTS = replace(ADMINISTRATOR, limit=Limit("policy_draft", burst=30, per_second=0.5))
MAX_BYTES = 320 * 1024  # Chinese characters have three bytes, and some are escaped by two more


@router.post(
    "/checks",
    operation_id="checkPolicy",
    max_body_size=MAX_BYTES,
    **allow(DRAFTS, OrgNotFound, body=True),
)
@takes_document(PolicyDraftIn, "document")
async def check_policy(body: PolicyDraftIn, tx: Reader, person_id: CurrentPerson) -> PolicyCheckOut:
    """Check a document (TOML) as if it were published now; return each finding with its line.

    A document of an organisation below a programme may only be stricter.
    """
    return await policy_drafts.check(tx, person_id, body)


@router.post(
    "/diff",
    operation_id="diffPolicy",
    max_body_size=MAX_BYTES,
    **allow(DRAFTS, OrgNotFound, DraftInvalid, body=True),
)
@takes_document(PolicyDraftIn, "document")
async def diff_policy(body: PolicyDraftIn, tx: Reader, person_id: CurrentPerson) -> PolicyDiffOut:
    """Return what a document would change in the rules in force, rule by rule."""
    return await policy_drafts.diff(tx, person_id, body)


@router.post(
    "",
    status_code=201,
    operation_id="publishPolicy",
    max_body_size=MAX_BYTES,
    **allow(
        DRAFTS,
        OrgNotFound,
        OrgClosed,
        DraftInvalid,
        PublicationTimeWrong,
        body=True,
        once=True,
        if_match=True,
    ),
)
@takes_document(PublicationIn, "document")
async def publish_policy(
    body: PublicationIn, tx: Tx, person_id: CurrentPerson, version: IfMatch
) -> PublicationOut:
    """Publish a document as the next version. `If-Match`: the `version` of its diff or check.

    A version is never changed: to take it back, publish another one.
    """
    return await policy_drafts.publish(tx, person_id, body, version)
