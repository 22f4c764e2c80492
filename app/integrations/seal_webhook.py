"""Posts seals to the address of ``QX_SEAL_WEBHOOK_URL``, out of reach of this service."""

from typing import Any

import httpx

TIMEOUT_S = 10.0


class WebhookRefused(Exception):
    """The reply was none of 2xx. The address is not part of the message: it may hold a secret."""


async def post(url: str, body: dict[str, Any]) -> None:
    """Post JSON. Raises WebhookRefused."""
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            response = await client.post(url, json=body)
    except httpx.HTTPError as error:
        raise WebhookRefused(type(error).__name__) from None
    if not response.is_success:
        raise WebhookRefused(str(response.status_code))
