"""Refresh tokens for tests."""

from datetime import timedelta
from hashlib import sha256

import httpx
from sqlalchemy import text

from app.runtime import Runtime
from app.services.auth import REUSE_GRACE

_AGE = text("""
UPDATE refresh_tokens SET used_at = used_at - CAST(:age AS interval) WHERE hash = :hash
""")


async def refresh(api: httpx.AsyncClient, token: str) -> httpx.Response:
    return await api.post("/api/v1/auth/refresh", json={"refresh_token": token})


async def age(runtime: Runtime, token: str, by: timedelta = REUSE_GRACE) -> None:
    """Set the time at which a token was spent to the past, by default beyond the grace period."""
    digest = sha256(token.encode()).digest()
    async with runtime.database.transaction() as tx:
        await tx.execute(_AGE, {"age": by, "hash": digest})
