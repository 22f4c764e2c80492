"""Documents that were published before names and notes had to be one line."""

import pytest

from app.core.clock import BEGINNING, now
from app.runtime import Runtime
from app.services.policies import history, publishing
from app.services.policies.reading import PolicyInvalid
from tests.factories.attendance import in_force_since
from tests.factories.orgs import make_org
from tests.factories.policies import SHIPPED, open_unit

NOTE = 'note = "终身一次"'
TIGHTER = "[caps]\nday = 20\n"


@pytest.mark.parametrize("note", [r"终身\n一次", "\u200b"], ids=["two lines", "invisible"])
async def test_a_stored_document_stays_in_force_and_is_tightened(
    runtime: Runtime, note: str
) -> None:
    assert NOTE in SHIPPED
    org = await make_org(runtime)
    source = SHIPPED.replace(NOTE, f'note = "{note}"')
    source = source.replace('unit = "points"', f'unit = "{await open_unit(runtime)}"')
    with pytest.raises(PolicyInvalid):
        publishing.check(source)
    await in_force_since(runtime, org, source, BEGINNING)

    async with runtime.database.transaction() as tx:
        await publishing.publish(tx, TIGHTER, org=await make_org(runtime, parent=org))
        policy = await history.in_force(tx, org.path, now())

    assert policy.document.caps.day == 24
