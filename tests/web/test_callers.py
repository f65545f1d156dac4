"""Who asks about the whole server."""

import pytest
from starlette.requests import HTTPConnection

from solara_ctx.web.callers import may_ask_why, may_see_rows, network_of

TOKEN = {"authorization": "Bearer sesame"}


def caller(host: str | None, headers: dict[str, str]) -> HTTPConnection:
    return HTTPConnection(
        {
            "type": "http",
            "client": None if host is None else (host, 1234),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )


@pytest.mark.parametrize(
    ("host", "headers", "rows_without", "rows_with", "why_without", "why_with"),
    [
        ("127.0.0.1", {}, True, True, True, False),
        ("::1", {}, True, True, True, False),
        ("203.0.113.7", {}, True, False, False, False),
        ("testclient", {}, True, False, False, False),
        (None, {}, True, False, False, False),
        ("203.0.113.7", TOKEN, True, True, False, True),
        ("203.0.113.7", {"authorization": "bearer  sesame "}, True, True, False, True),
        ("203.0.113.7", {"authorization": "Bearer sesam"}, True, False, False, False),
        ("203.0.113.7", {"authorization": "Basic sesame"}, True, False, False, False),
        ("203.0.113.7", {"authorization": "Bearer"}, True, False, False, False),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.7"}, True, False, False, False),
        ("127.0.0.1", {"forwarded": "for=203.0.113.7"}, True, False, False, False),
        ("127.0.0.1", {"x-real-ip": "203.0.113.7", **TOKEN}, True, True, False, True),
    ],
)
def test_what_a_caller_may_know(
    host: str | None,
    headers: dict[str, str],
    rows_without: bool,
    rows_with: bool,
    why_without: bool,
    why_with: bool,
) -> None:
    """Rows are for everybody, or where there is a token, for its holder and this machine; a search that takes seconds
    is for its holder only, or where there is none, for this machine.
    """
    asks = caller(host, headers)
    assert (may_see_rows(asks, None), may_see_rows(asks, "sesame")) == (rows_without, rows_with)
    assert (may_ask_why(asks, None), may_ask_why(asks, "sesame")) == (why_without, why_with)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        (None, None),
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("_hidden", "_hidden"),
    ],
)
def test_whose_address_it_is(host: str | None, network: str | None) -> None:
    """One of IPv4 is one caller, of IPv6 a /64 network is, in which a subscriber has more addresses than there are."""
    assert network_of(caller(host, {})) == network
