"""What a superuser may change, by table, and which check of ``ledger verify`` tells it."""

from tests.security.tamperings.acts import ACTS
from tests.security.tamperings.days import DAYS
from tests.security.tamperings.exchanges import EXCHANGES
from tests.security.tamperings.goods import GOODS
from tests.security.tamperings.ledger import LEDGER
from tests.security.tamperings.linked_places import LINKED_PLACES
from tests.security.tamperings.places import PLACES
from tests.security.tamperings.presences import PRESENCES
from tests.security.tamperings.quests import QUESTS
from tests.security.tamperings.tampering import Tamperings

TAMPERINGS: Tamperings = {
    **ACTS,
    **DAYS,
    **EXCHANGES,
    **GOODS,
    **LEDGER,
    **LINKED_PLACES,
    **PLACES,
    **PRESENCES,
    **QUESTS,
}
