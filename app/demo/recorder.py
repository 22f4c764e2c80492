"""A device that records without network, as docs/devices.md says: its keys and its events."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.core import base64url, sealed_rosters
from app.core.clock import now
from app.core.sealed_rosters import Expected
from app.core.signed_events import Action, Event


@dataclass
class Recorder:
    """A device whose clock is right. ``activity``: serial number of where it stands."""

    device_id: str = ""
    activity: int = 0
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    roster_key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    sequences: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def public_keys(self) -> dict[str, str]:
        """Return the keys under the names that the registration of a device has for them."""
        return {
            "public_key": base64url.encode(self.key.public_key().public_bytes_raw()),
            "roster_key": base64url.encode(self.roster_key.public_key().public_bytes_raw()),
        }

    def read(self, roster: dict[str, Any]) -> list[Expected]:
        """Decrypt a roster, and note of which activity it is."""
        self.activity = roster["activity_serial"]
        text: str = roster["sealed"]
        sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return sealed_rosters.unseal(
            self.roster_key.private_bytes_raw(),
            UUID(self.device_id),
            self.activity,
            roster["session"],
            sealed,
        )

    def signed(self, action: Action, **person: Any) -> dict[str, str]:
        """Record that a person comes or leaves now."""
        event = Event(
            device=UUID(self.device_id),
            sequence=next(self.sequences),
            activity=self.activity,
            session=0,
            action=action,
            clock_ms=clock_ms(),
            **person,
        )
        signature = self.key.sign(event.text.encode())
        return {"text": event.text, "signature": base64url.encode(signature)}


def serial_of(card_no: str) -> int:
    """Return the serial number in a card's number: the ten digits before the last."""
    return int(card_no[2:-1])


def clock_ms() -> int:
    return round(now().timestamp() * 1000)
