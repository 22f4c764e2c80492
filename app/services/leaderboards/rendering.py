"""Replies of leaderboards as JSON: what all readers of a board share, then the caller's part."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter

from app.schemas.leaderboards import (
    BoardPeriod,
    HoursLeaderboardOut,
    HoursNeighbourOut,
    HoursRankOut,
    LeaderboardOut,
    Measure,
    MyHoursRankOut,
    MyRankOut,
    NeighbourOut,
    RankOut,
)
from app.services import people

# The last members of a board, which are the caller's.
_NOBODY = b'"around":null,"me":null}'
_OUT: dict[Measure, Any] = {"points": LeaderboardOut, "minutes": HoursLeaderboardOut}
_RANK: dict[Measure, Any] = {"points": RankOut, "minutes": HoursRankOut}
_MINE: dict[Measure, Any] = {"points": MyRankOut, "minutes": MyHoursRankOut}
_NEAR: dict[Measure, TypeAdapter[Any]] = {
    "points": TypeAdapter(list[NeighbourOut]),
    "minutes": TypeAdapter(list[HoursNeighbourOut]),
}
Shown = Mapping[UUID, tuple[str, bool]]  # name and opt-in of those who may be shown


class Place(NamedTuple):
    """``amount``: points or minutes."""

    rank: int
    person: UUID
    amount: int


def shared(
    measure: Measure, period: BoardPeriod, starts_at: datetime, top: Sequence[Place], shown: Shown
) -> bytes:
    """Return the JSON of a board up to the members of the caller, which are its last."""
    items = [_RANK[measure](**one) for _, one in _listed(measure, top, shown)]
    whole = _OUT[measure](period=period, starts_at=starts_at, items=items, around=None, me=None)
    body: bytes = whole.model_dump_json().encode()
    assert body.endswith(_NOBODY)
    return body.removesuffix(_NOBODY)


def nobody() -> bytes:
    """Return the rest of a board without a caller."""
    return _NOBODY


def of_caller(
    measure: Measure, own: Place | None, near: Sequence[Place] | None, shown: Shown
) -> bytes:
    """Return the rest of a board for a caller. ``own``: None if the caller is not on it."""
    around, me = b"null", b"null"
    if own is not None:
        mine = _MINE[measure](**{"rank": own.rank, measure: own.amount})
        me = mine.model_dump_json().encode()
    if own is not None and near is not None:
        listed = [
            one | {"is_me": person == own.person} for person, one in _listed(measure, near, shown)
        ]
        adapter = _NEAR[measure]
        around = adapter.dump_json(adapter.validate_python(listed))
    return b'"around":' + around + b',"me":' + me + b"}"


def _listed(
    measure: Measure, places: Sequence[Place], shown: Shown
) -> list[tuple[UUID, dict[str, Any]]]:
    """List places. Who may not be shown keeps the place, and is left out."""
    listed = []
    for rank, person, amount in places:
        if person in shown and amount > 0:
            name, shows_name = shown[person]
            display_name = name if shows_name else people.masked(name)
            listed.append((person, {"rank": rank, "display_name": display_name, measure: amount}))
    return listed
