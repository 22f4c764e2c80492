"""Posts a message to the address of a webhook: once, to a public address, without redirects.

The name is resolved once; the connection goes to an address that was checked. TLS and ``Host``
keep the name. Nothing of the reply's body is read.
"""

import asyncio
import socket
from collections.abc import Mapping

import httpx

from app.core.public_addresses import is_public

TOTAL_S = 10.0
CONNECT_S = 3.0
GONE = 410


class AddressRefused(Exception):
    """The name leads to an address that is not public."""


class Unreachable(Exception):
    """No address, no connection, no TLS or no HTTP."""


async def post(
    url: str, body: bytes, headers: Mapping[str, str], *, allows_local: bool = False
) -> int:
    """Post a JSON body; return the status of the reply.

    ``allows_local``: addresses that are not public, too. Raises AddressRefused, Unreachable, and
    TimeoutError after ``TOTAL_S`` s.
    """
    target = httpx.URL(url)
    try:
        async with asyncio.timeout(TOTAL_S):
            address = await _resolved(target.host, target.port or 443, allows_local=allows_local)
            # No proxy of the environment: it would resolve the name again.
            async with httpx.AsyncClient(
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(TOTAL_S, connect=CONNECT_S),
            ) as client:
                request = client.build_request(
                    "POST",
                    target.copy_with(host=address),
                    content=body,
                    headers={
                        "content-type": "application/json",
                        "user-agent": "qingxiang-webhooks",
                        **headers,
                        "host": target.netloc.decode("ascii"),
                    },
                    extensions={"sni_hostname": target.host},
                )
                response = await client.send(request, stream=True)
                await response.aclose()
                return response.status_code
    except httpx.TimeoutException:
        raise TimeoutError from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise Unreachable(type(error).__name__) from None


async def _resolved(host: str, port: int, *, allows_local: bool) -> str:
    """Return an address of a host, an IPv4 one if it has any.

    Raises Unreachable, and AddressRefused if any of them is not public.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable(type(error).__name__) from None
    addresses = [str(one[4][0]) for one in found]
    if not addresses:
        raise Unreachable("no address")
    if not allows_local and not all(is_public(one) for one in addresses):
        raise AddressRefused
    return min(addresses, key=lambda one: ":" in one)
