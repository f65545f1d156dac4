"""Who asks about the whole server, and what such a caller may know."""

import hmac
import ipaddress

from starlette.requests import HTTPConnection

_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


def may_see_rows(connection: HTTPConnection, token: str | None) -> bool:
    """Whether the caller may see more than totals: everybody where no token is set, else the holder of the token and
    this very machine.
    """
    return token is None or has_token(connection, token) or is_local(connection)


def may_ask_why(connection: HTTPConnection, token: str | None) -> bool:
    """Whether the caller may ask what takes seconds of the server's time: the holder of the token; where no token is
    set, only this very machine.
    """
    return is_local(connection) if token is None else has_token(connection, token)


def has_token(connection: HTTPConnection, token: str) -> bool:
    """Whether the caller sends the token."""
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def is_local(connection: HTTPConnection) -> bool:
    """Whether the caller is on this very machine.

    Behind a proxy on the same machine every caller seems to be local; a request that was forwarded is not.
    """
    if any(name in connection.headers for name in _PROXY_HEADERS):
        return False
    return connection.client is not None and _is_loopback(connection.client.host)


def network_of(connection: HTTPConnection) -> str | None:
    """The address that the caller has for itself: all of a /64 network where that is IPv6, as one subscriber has it;
    `None` where there is none.
    """
    if connection.client is None:
        return None
    host = connection.client.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a proxy may hide it behind a name of its own (RFC 7239 section 6)
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    # A server that listens on both kinds sees all of IPv4 in one /64.
    mapped = address.ipv4_mapped
    return str(ipaddress.IPv6Network((int(address), 64), strict=False)) if mapped is None else str(mapped)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
