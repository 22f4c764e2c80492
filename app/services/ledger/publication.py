"""Publication of seals, to where whoever owns the database cannot change them.

Three ways, each a job that catches up and fails alone: a file, a webhook, and notices to auditors.
Each seal goes once to each. A way that is new begins with the newest seal, which binds all before.
"""

import fcntl
import os
import re
from datetime import date
from pathlib import Path
from uuid import UUID

from app.core.db import Session
from app.models.people import Role
from app.queries import people as people_queries
from app.queries.ledger import sealing as queries
from app.queries.ledger.sealing import Sealed
from app.services import notify

LINE = re.compile(r"(\d{4}-\d\d-\d\d) ([0-9a-f]{64})")
NOTICES = "notices"


class PublishedDiffers(Exception):
    """The database has no seal, or another one, for a day that was published."""


class FileUnreadable(Exception):
    """A line of a file of published seals is none."""


async def next_one(tx: Session, channel: str) -> Sealed | None:
    """Return the oldest seal that has not gone through a channel, and wait for other workers."""
    last = await queries.lock_publication(tx, channel)
    if last is None:
        return await queries.last_seal(tx)
    return await queries.seal_after(tx, last)


async def note(tx: Session, channel: str, sealed: Sealed) -> None:
    """Write that a seal has gone through a channel."""
    await queries.note_publication(tx, channel, sealed.day)


async def notify_auditors(tx: Session) -> int:
    """Send the next seal to all auditors; return the number of seals, 0 or 1."""
    sealed = await next_one(tx, NOTICES)
    if sealed is None:
        return 0
    auditors = await people_queries.holders(tx, Role.auditor)
    # A subject has an id; a seal's is the beginning of its hash.
    subject = ("seal", UUID(bytes=sealed.seal[:16]))
    await notify.send(
        tx, auditors, "seal_published", subject, day=sealed.day, seal=sealed.seal.hex()
    )
    await note(tx, NOTICES, sealed)
    return 1


async def append(tx: Session, file: Path) -> int:
    """Append to a file the seals after its last one; return how many.

    The file itself tells what was published, so each host may have its own. Raises
    PublishedDiffers if its last seal is not the database's, FileUnreadable.
    """
    return _append(file, await _after(tx, _written(file)))


def _written(file: Path) -> dict[date, bytes]:
    file.parent.mkdir(parents=True, exist_ok=True)
    return read(_whole_lines(file.read_bytes())) if file.exists() else {}


def _append(file: Path, seals: list[Sealed]) -> int:
    """Append the seals that another worker has not appended meanwhile."""
    with file.open("a+b") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        out.seek(0)
        text = _whole_lines(out.read())
        last = max(read(text), default=date.min)
        lines = [f"{one.day} {one.seal.hex()}\n" for one in seals if one.day > last]
        if lines:
            out.truncate(len(text.encode()))
            out.write("".join(lines).encode())
            out.flush()
            os.fsync(out.fileno())
    return len(lines)


def _whole_lines(content: bytes) -> str:
    """Leave out what a crash left of a line."""
    return content[: content.rfind(b"\n") + 1].decode()


async def _after(tx: Session, written: dict[date, bytes]) -> list[Sealed]:
    if not written:
        newest = await queries.last_seal(tx)
        return [newest] if newest else []
    last = max(written)
    kept = await queries.seal_of(tx, last)
    if kept is None or kept.seal != written[last]:
        raise PublishedDiffers(f"{last}")
    seals, after = [], last
    while following := await queries.seal_after(tx, after):
        seals.append(following)
        after = following.day
    return seals


def read(text: str) -> dict[date, bytes]:
    """Read a file of published seals: "DAY SEAL" in each line. Raises FileUnreadable."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise FileUnreadable(f"line {number} is not a day and a seal of 64 digits")
        found[date.fromisoformat(match[1])] = bytes.fromhex(match[2])
    return found
