"""Links that open a statement of the caller without a login."""

from app.api.access import RESIDENT, allow
from app.api.deps import CurrentPerson, Links, Reader
from app.api.operations import no_store
from app.api.routes import Router
from app.core.language import Bilingual
from app.schemas.statement_links import StatementLinkIn, StatementLinkOut
from app.services import statement_links
from app.services.ledger.units import UnitUnknown

ABOUT = Bilingual("对账单链接：五分钟内免登录打开", "Links to a statement, without a login")
router = Router(tags=["statement_links"], about=ABOUT)


@router.post(
    "/me/points/statement-links",
    operation_id="createStatementLink",
    **allow(RESIDENT, UnitUnknown, body=True),
)
@no_store
async def create_statement_link(
    body: StatementLinkIn, tx: Reader, links: Links, person_id: CurrentPerson
) -> StatementLinkOut:
    """Return links that open the caller's statement for 5 minutes, for a web-view."""
    return await statement_links.make(tx, links, person_id, body)
