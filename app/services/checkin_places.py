"""Where a phone is when its owner checks in: at a poster it must be there, else it is a signal."""

from app.core.errors import Refusal
from app.queries.checkins import CheckinContext
from app.schemas.checkins import PositionIn
from app.services import geofences


class NoPlace(Refusal):
    code, status, title = "checkins.no_place", 409, "No place"
    zh = "活动未设置地点，不能用海报签到，请现场工作人员协助签到"
    en = "The activity has no place on the map: the steward at the door checks you in."


class LocationNeeded(Refusal):
    code, status, title = "checkins.location_needed", 422, "No location"
    zh = "海报签到需要您的位置，请允许获取位置后重试，或请现场工作人员协助签到"
    en = "A poster needs the location of the phone; else the steward at the door checks you in."


class CheckinTooFar(Refusal):
    """Facts in metres: how far the phone is, and how far it may be, its accuracy included."""

    code, status, title = "checkins.too_far", 409, "Too far away"
    zh = "您离活动地点太远，请到现场扫码，或请现场工作人员协助签到"
    en = "You are too far from the activity. If you are there, the steward checks you in."
    fact_names = ("distance_m", "limit")


def refusal(context: CheckinContext, position: PositionIn | None) -> Refusal | None:
    """Return why a poster does not check this phone in; None: it is where the poster hangs."""
    if context.latitude is None or context.longitude is None or context.radius_m is None:
        return NoPlace()
    if position is None:
        return LocationNeeded()
    found = geofences.measure((context.latitude, context.longitude), context.radius_m, position)
    if found.is_inside:
        return None
    return CheckinTooFar(distance_m=found.distance_m, limit=found.limit)


def distance(context: CheckinContext, position: PositionIn | None) -> int | None:
    """Return the metres between the phone and the activity, None if one of them is unknown."""
    if position is None or context.latitude is None or context.longitude is None:
        return None
    return geofences.measure((context.latitude, context.longitude), 0, position).distance_m


def spot(position: PositionIn | None) -> tuple[int, int] | tuple[None, None]:
    """Return where the phone is, in millionths of a degree, for the flags."""
    return (None, None) if position is None else geofences.millionths(position)
