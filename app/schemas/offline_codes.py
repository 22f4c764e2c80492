"""Wire shapes of offline codes and the keys that verify them."""

from datetime import datetime

from pydantic import Field

from app.schemas.base import Out


class OfflineCodeOut(Out):
    code: str = Field(description="138 characters, to be shown as a QR code.")
    starts_at: datetime = Field(description="From when on the phone shows it, in UTC.")
    ends_at: datetime = Field(description="Until when the phone shows it, in UTC.")


class OfflineCodesOut(Out):
    """The codes of the caller for one session, each for five minutes."""

    activity_serial: int = Field(description="Number of the activity in codes and events.")
    session: int = Field(description="Session of the activity; 0: the whole activity.")
    opens_at: datetime = Field(description="When check-in opens, in UTC.")
    closes_at: datetime = Field(description="When check-in closes, in UTC.")
    codes: list[OfflineCodeOut] = Field(
        description="In the order of time, from now on; at most 301."
    )


class OfflineKeyOut(Out):
    id: str = Field(description="8 hexadecimal digits, which stand in each code of the key.")
    public_key: str = Field(description="Ed25519 public key, 32 bytes in base64url.")
    starts_at: datetime = Field(description="The key is of codes from this time on, in UTC.")
    ends_at: datetime = Field(description="The key is of codes before this time, in UTC.")


class OfflineKeysOut(Out):
    """Keys of the current and the next 30 days; twice as many after the secret was changed."""

    keys: list[OfflineKeyOut] = Field(description="A code names one of them.")
