"""The stop of the tour at courtesies: a matrix, categories, claims, uses, and a package."""

from app.demo.caller import Caller
from app.demo.cast import STREET, fixed_id

STREET_ID = str(fixed_id(0, STREET))
RIDERS = {"name": "骑手早餐券", "cells": [{"category": "rider", "quota": 3}], "choice_group": None}


async def _matrix(tour: Caller) -> dict[str, str]:
    """Publish what riders may have; return its id as an input names it."""
    draft = await tour.do("organizer", "createCourtesy")
    kept = {"courtesy_id": draft["id"]}
    await tour.do("organizer", "editCourtesy", version=draft["version"], **kept)
    await tour.do("organizer", "publishCourtesy", **kept)
    await tour.do("alice", "listCourtesies", org_id=STREET_ID)
    await tour.do("alice", "listMyCourtesies", org_id=STREET_ID)
    await tour.do("organizer", "endCourtesy", **kept)
    made = await tour.do("organizer", "createCourtesy", RIDERS)
    place = {"courtesy_id": made["id"]}
    await tour.do("organizer", "publishCourtesy", **place)
    return place


async def _courtesies(tour: Caller) -> None:
    place = await _matrix(tour)
    await tour.do("organizer", "recordPersonCategories")
    listed = await tour.do("organizer", "listPersonCategories", org_id=STREET_ID)
    await tour.do("bob", "listMyPersonCategories")
    await tour.do("bob", "getCourtesy", **place)
    first, _, third = [await tour.do("bob", "claimCourtesy", **place) for _ in range(3)]
    await tour.do("bob", "cancelCourtesyClaim", courtesy_claim_id=third["id"])
    code = {"card_code": await _code(tour)}
    await tour.do("merchant", "previewCourtesyClaims", code)
    await tour.do("merchant", "useCourtesy", code, courtesy_claim_id=first["id"])
    await tour.do("organizer", "useCourtesyAtVenue", {"card_code": await _code(tour)}, **place)
    await tour.do("bob", "listMyCourtesyClaims")
    await tour.do("merchant", "listMerchantCourtesyClaims")
    await tour.do("organizer", "listCourtesyClaims", org_id=STREET_ID, used="true")
    await _package(tour, place["courtesy_id"])
    category = {"person_category_id": listed["items"][0]["id"]}
    await tour.do("organizer", "endPersonCategory", **category)


async def _package(tour: Caller, courtesy_id: str) -> None:
    grant = await tour.do("organizer", "grantCourtesies", {"courtesy_ids": [courtesy_id]})
    place = {"courtesy_grant_id": grant["id"]}
    await tour.do("bob", "listMyCourtesyGrants")
    await tour.do("bob", "claimCourtesyGrant", **place)
    await tour.do("organizer", "listCourtesyGrants", org_id=STREET_ID)
    await tour.do("organizer", "revokeCourtesyGrant", **place)


async def _code(tour: Caller) -> str:
    return str((await tour.do("bob", "getMyCardCode"))["code"])


STOPS = (_courtesies,)
