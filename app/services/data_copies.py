"""A copy of all that is kept of a person (PIPL 45), as a zip that a link opens for 5 minutes."""

import asyncio
import json
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

from app.core.clock import now
from app.core.db import Session
from app.core.errors import Refusal
from app.core.keys import FieldCipher
from app.core.links import SignedLinks
from app.core.xlsx.writer import HEADER, Book
from app.integrations.storage import ObjectMissing, Store
from app.models.attachments import AttachmentState
from app.models.cards import card_number
from app.models.data_copies import DataCopy
from app.queries import data_copies as queries
from app.queries import outbox
from app.queries import people as people_queries
from app.schemas.data_copies import PARTS, DataCopiesOut, DataCopyOut
from app.schemas.exports import HEADINGS
from app.services import audit, notify, people
from app.services.attachments.content import SUFFIXES

KEPT, LINK_LASTS = timedelta(days=1), timedelta(minutes=5)
MADE = "data_copies.make"  # topic of the outbox
MAX_CELL = 32_767  # characters, in Excel
# What is beyond is listed, and downloaded one by one.
MAX_FILES_BYTES = 20 * 1024 * 1024
Parts = Mapping[str, Sequence[dict[str, Any]]]


class DataCopyNotFound(Refusal):
    code, status, title = "data_copies.not_found", 404, "No such copy"
    zh, en = "副本不存在或链接已失效", "There is no such copy, or its link has ended."


class DataCopyExists(Refusal):
    code, status, title = "data_copies.exists", 409, "There is one"
    zh, en = "已有一份副本，到期删除后可再次申请", "There is a copy; ask again when it is deleted."
    fact_names = ("opens_at",)


async def ask(tx: Session, links: SignedLinks, person_id: UUID) -> DataCopyOut:
    """Ask for a copy, which a job makes. Raises PersonNotFound, DataCopyExists."""
    person = await people_queries.find(tx, person_id)
    if person is None or person.erased_at is not None:
        raise people.PersonNotFound
    made = await queries.add(tx, person_id, now())
    if made is None:
        found = await queries.of_person(tx, person_id)
        raise DataCopyExists(opens_at=(found.created_at if found else now()) + KEPT)
    await audit.write_about(tx, person_id, "created", ("data_copy", made.id), None)
    await outbox.put(tx, MADE, {"id": str(made.id)})
    return _to_out(links, made)


async def mine(tx: Session, links: SignedLinks, person_id: UUID) -> DataCopiesOut:
    """Return the person's copy, if there is one, with a link that opens it for 5 minutes."""
    found = await queries.of_person(tx, person_id)
    alive = found is not None and found.created_at + KEPT > now()
    return DataCopiesOut(items=[_to_out(links, found)] if found is not None and alive else [])


async def opened(
    tx: Session, links: SignedLinks, data_copy_id: UUID, expires: int, signature: str
) -> bytes:
    """Return the zip to who has a link in time. Raises DataCopyNotFound."""
    at = now()
    if not links.allows(_name(data_copy_id), expires, signature, at.timestamp()):
        raise DataCopyNotFound
    found = await queries.find(tx, data_copy_id)
    if found is None or found.content is None or found.created_at + KEPT <= at:
        raise DataCopyNotFound
    return found.content


async def make(tx: Session, cipher: FieldCipher, store: Store, data_copy_id: UUID) -> None:
    """Make a copy that was asked for; one that is gone or made is left alone.

    Raises StoreUnavailable; the outbox then tries again later.
    """
    found = await queries.find(tx, data_copy_id)
    if found is None or found.content is not None:
        return
    parts = await _parts(tx, cipher, found.person_id)
    at = now()
    uploaded = await _files(store, parts["attachments"])
    content = await asyncio.to_thread(_zipped, parts, uploaded, at)
    await queries.fill(tx, data_copy_id, content, at)
    subject, until = ("data_copy", data_copy_id), found.created_at + KEPT
    await notify.send(tx, found.person_id, "data_copy_ready", subject, until=until)


async def forget(tx: Session, at: datetime) -> int:
    """Delete copies that are a day old; return how many."""
    return await queries.forget(tx, at - KEPT)


async def _parts(tx: Session, cipher: FieldCipher, person_id: UUID) -> Parts:
    everyone = await people_queries.family(tx, person_id)
    found = {
        name: [json.loads(row) for row in await queries.part(tx, name, everyone)] for name in PARTS
    }
    for row in found["profile"]:
        person = await people_queries.find(tx, UUID(row["id"]))
        assert person is not None, "its row was read"
        row["openid"] = cipher.open(person.openid_sealed)
    for row in [*found["card"], *found["ended_cards"]]:
        row["card_no"] = card_number(row.pop("serial"))
    return found


async def _files(store: Store, attachments: Sequence[dict[str, Any]]) -> dict[str, bytes]:
    """Read the uploaded files by name, the newest first, as many as fit."""
    found: dict[str, bytes] = {}
    left = MAX_FILES_BYTES
    for row in reversed(attachments):
        left -= row["size"]
        if row["state"] != AttachmentState.blocked and left >= 0:
            with suppress(ObjectMissing):
                name = f"files/{row['id']}{SUFFIXES[row['content_type']]}"
                found[name] = await store.get(row["id"])
    return found


def _zipped(parts: Parts, uploaded: Mapping[str, bytes], at: datetime) -> bytes:
    """Pack the parts as JSON and as a workbook with a sheet for each, and the files."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        told = {"made_at": at.isoformat(), **parts}
        file.writestr("data.json", json.dumps(told, ensure_ascii=False, indent=1))
        file.writestr("data.xlsx", _workbook(parts))
        for name, content in uploaded.items():
            file.writestr(name, content)
    return packed.getvalue()


def _workbook(parts: Parts) -> bytes:
    book, packed = Book(), BytesIO()
    for name, rows in parts.items():
        book.open_sheet(PARTS[name].said())
        columns = list(dict.fromkeys(key for row in rows for key in row))
        book.append(book.text(_heading(one), **HEADER) for one in columns)
        for row in rows:
            book.append(book.text(_cell(row.get(one))) for one in columns)
    book.save(packed)
    return packed.getvalue()


def _heading(column: str) -> str:
    return HEADINGS[column].said() if column in HEADINGS else column


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:MAX_CELL]


def _to_out(links: SignedLinks, data_copy: DataCopy) -> DataCopyOut:
    url = None
    if data_copy.ready_at is not None:
        expires = int((now() + LINK_LASTS).timestamp())
        signature = links.sign(_name(data_copy.id), expires)
        path = f"/api/v1/data-copies/{data_copy.id}/file"
        url = f"{path}?expires={expires}&signature={signature}"
    return DataCopyOut(
        id=data_copy.id,
        created_at=data_copy.created_at,
        ready_at=data_copy.ready_at,
        expires_at=data_copy.created_at + KEPT,
        url=url,
    )


def _name(data_copy_id: UUID) -> str:
    """Return what a link signs: no link to another thing opens a copy."""
    return f"data-copy:{data_copy_id}"
