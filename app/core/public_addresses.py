"""Which addresses of the Internet this service may call for somebody else (against SSRF)."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# Inside of these stands an IPv4 address, which a gateway may translate.
_TRANSLATED = (
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("2002::/16"),
    IPv6Network("::/96"),
)


def parsed(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host of a URL is, brackets and zone left out; None for a name."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_public(text: str) -> bool:
    """Whether an address is public: none of this host, a private network, a link or a group."""
    found = parsed(text)
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _TRANSLATED):
            return False
    return found is not None and found.is_global and not found.is_multicast
