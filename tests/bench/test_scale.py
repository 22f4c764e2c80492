"""The simulation of deployments ends where arithmetic says that it must."""

import pytest

from bench.chain import Chain, Line
from bench.scale import Costs, Deployment, knee

pytestmark = pytest.mark.long
FREE = Line(0.0, 0.0)


def costs(*, web: float = 0.0, processor: Line = FREE, locked: Line = FREE) -> Costs:
    return Costs(web, Chain(processor, locked, wal=FREE))


@pytest.mark.parametrize(
    ("deployment", "of", "most", "full"),
    [
        # Two cores of web workers, ten milliseconds a request.
        (Deployment(2, 8, 50, 0.0), costs(web=0.01), 200, "web"),
        # Two cores of the primary, ten milliseconds a check-in whatever the list.
        (
            Deployment(8, 2, 5_000, 0.0),
            costs(processor=Line(0.0, 0.01), locked=Line(0.0, 0.01)),
            200,
            "primary",
        ),
        # One fund, held for ten milliseconds a check-in, however many cores there are.
        (Deployment(8, 8, 1, 1.0), costs(locked=Line(0.0, 0.01)), 100, "busiest fund"),
    ],
    ids=["web", "primary", "fund"],
)
def test_a_deployment_ends_where_its_scarce_part_is_used_up(
    deployment: Deployment, of: Costs, most: float, full: str
) -> None:
    found = knee(deployment, of)
    assert found.full == full
    assert 0.6 * most < found.rate <= 1.2 * most


def test_twice_the_cores_do_twice_as_much_and_not_with_one_fund() -> None:
    web = costs(web=0.001)
    assert (
        knee(Deployment(4, 8, 50, 0.0), web).rate >= 1.6 * knee(Deployment(2, 8, 50, 0.0), web).rate
    )
    held = costs(locked=Line(0.0, 0.01))
    two, four = knee(Deployment(2, 8, 1, 1.0), held), knee(Deployment(4, 8, 1, 1.0), held)
    assert four.rate <= 1.1 * two.rate
