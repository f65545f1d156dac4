"""Who asks: cookies, kernel ids and origins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.authentication import BaseUser, SimpleUser, UnauthenticatedUser
from starlette.requests import HTTPConnection
from starlette.responses import Response

from solara_ctx.errors import InvalidKernelId, NamelessUser
from solara_ctx.web.session import COOKIE_NAME, KernelIds, Sessions, Signer, origin_allowed, user_of

KEY = b"a key of sixteen bytes and more"


def connection(**headers: str) -> HTTPConnection:
    return HTTPConnection(
        {
            "type": "http",
            "scheme": "http",
            "method": "GET",
            "path": "/",
            "root_path": "",
            "query_string": b"",
            "server": ("app.example", 80),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )


def test_a_session_is_found_again_by_its_cookie() -> None:
    """What `create` made, `find` accepts."""
    sessions = Sessions(Signer(KEY))
    session_id = sessions.create()
    assert sessions.find(connection(cookie=f"a=b; {COOKIE_NAME}={session_id}; c=d")) == session_id


def test_sessions_differ() -> None:
    """Two browsers never get the same session."""
    sessions = Sessions(Signer(KEY))
    assert sessions.create() != sessions.create()


@given(st.text(alphabet=st.characters(exclude_characters=";\r\n", max_codepoint=255), max_size=80))
def test_a_made_up_cookie_is_no_session(value: str) -> None:
    """Only what we have signed counts."""
    scope = {**connection().scope, "headers": [(b"cookie", f"{COOKIE_NAME}={value}".encode("latin-1"))]}
    assert Sessions(Signer(KEY)).find(HTTPConnection(scope)) is None


def test_a_session_of_another_key_is_none_of_ours() -> None:
    """A server with another key does not accept it."""
    session_id = Sessions(Signer(KEY)).create()
    assert Sessions(Signer()).find(connection(cookie=f"{COOKIE_NAME}={session_id}")) is None


def test_of_several_cookies_of_one_name_ours_is_found() -> None:
    """Two apps on one host, one below the other's path, do not lock each other out."""
    theirs, ours = Sessions(Signer()), Sessions(Signer())
    wanted = ours.create()
    cookie = f"{COOKIE_NAME}={theirs.create()}; {COOKIE_NAME}={wanted}; {COOKIE_NAME}={theirs.create()}"
    assert ours.find(connection(cookie=cookie)) == wanted


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_guarded(scheme: str, secure: bool) -> None:
    """HttpOnly, SameSite=Lax, below the mount only, and Secure under https."""
    response = Response()
    asked = HTTPConnection({**connection().scope, "scheme": scheme, "root_path": "/sub", "path": "/sub/"})
    Sessions(Signer(KEY)).set_cookie(response, asked, "value")
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/sub;" in cookie
    assert ("Secure" in cookie) is secure


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_cookie_goes_along_in_frames_where_that_is_wanted(scheme: str) -> None:
    """Only as browsers take it: Secure, and Partitioned, a cookie of its own for each site around the frame."""
    response = Response()
    response.set_cookie("another", "cookie")
    sessions = Sessions(Signer(KEY), in_frames=True)
    sessions.set_cookie(response, HTTPConnection({**connection().scope, "scheme": scheme}), "value")
    other, cookie = response.headers.getlist("set-cookie")
    assert {"SameSite=none", "Secure", "HttpOnly", "Partitioned"} <= {part.strip() for part in cookie.split(";")}
    assert "Partitioned" not in other


def test_the_cookie_of_a_mount_with_a_strange_name_is_one_cookie() -> None:
    """What a visitor puts into the path of `Mount("/{tenant}", ...)` sets no attribute of the cookie."""
    response = Response()
    asked = HTTPConnection({**connection().scope, "root_path": "/ж;Domain=x\r\ny", "path": "/"})
    Sessions(Signer(KEY)).set_cookie(response, asked, "value")
    assert "Path=/%D0%B6%3BDomain=x%0D%0Ay;" in response.headers["set-cookie"]


def test_an_issued_id_is_good_for_its_session_only() -> None:
    """A kernel id is worthless in another session."""
    ids = KernelIds(Signer(KEY), lifetime_s=60)
    kernel_id = ids.issue("mine")
    ids.check(kernel_id, "mine")
    with pytest.raises(InvalidKernelId, match="not issued to this session") as caught:
        ids.check(kernel_id, "yours")
    assert kernel_id not in str(caught.value)


def test_no_kernel_id_looks_like_an_option() -> None:
    """One in 64 would begin with a dash, and `solara-ctx why URL -x…` asks for something else."""
    ids = KernelIds(Signer(KEY), lifetime_s=60)
    assert not any(ids.issue("mine").startswith("-") for _ in range(1000))


@given(st.text(max_size=120))
def test_a_made_up_id_is_refused(kernel_id: str) -> None:
    """Nobody guesses an id, and no text breaks the check."""
    with pytest.raises(InvalidKernelId):
        KernelIds(Signer(KEY), lifetime_s=60).check(kernel_id, "mine")


@given(st.integers(min_value=0, max_value=49), st.sampled_from("ABCxyz019-_=é"))
def test_no_character_of_an_id_can_be_changed(position: int, character: str) -> None:
    """Another spelling is another id, also where base64 would read the same bytes."""
    ids = KernelIds(Signer(KEY), lifetime_s=60)
    kernel_id = ids.issue("mine")
    forged = kernel_id[:position] + character + kernel_id[position + 1 :]
    if forged != kernel_id:
        with pytest.raises(InvalidKernelId):
            ids.check(forged, "mine")


def test_an_id_may_start_a_kernel_until_its_time_is_up() -> None:
    """`remaining_s` counts down from the lifetime, to the millisecond."""
    now = 1000.0
    ids = KernelIds(Signer(KEY), lifetime_s=60, now=lambda: now)
    kernel_id = ids.issue("mine")
    assert ids.remaining_s(kernel_id) == pytest.approx(60)
    now = 1060.0
    assert ids.remaining_s(kernel_id) == pytest.approx(0)
    now = 1061.0
    assert ids.remaining_s(kernel_id) < 0


def test_a_session_cookie_is_no_kernel_id() -> None:
    """What was signed for one purpose does not pass for another."""
    signer = Signer(KEY)
    assert signer.sign("session", b"x") != signer.sign("kernel", b"x")
    assert signer.sign("session", b"ab", b"c") != signer.sign("session", b"a", b"bc")


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "app.example", True),
        ("http://app.example", "app.example", True),
        ("http://app.example:80", "app.example", True),
        ("https://app.example", "app.example", True),
        ("https://app.example", "app.example:443", True),
        ("http://APP.example", "app.example", True),
        ("http://app.example:8000", "app.example:8000", True),
        ("http://app.example:8001", "app.example:8000", False),
        ("http://app.example:8000", "app.example", False),
        ("http://evil.example", "app.example", False),
        ("http://app.example.evil.example", "app.example", False),
        ("https://partner.example", "app.example", True),
        ("http://partner.example", "app.example", False),
        ("null", "app.example", False),
        ("", "app.example", False),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://[::1", "[::1]", False),
        ("http://app.example:99999", "app.example", False),
        ("http://app.example", "app.example:nonsense", False),
        ("file://", "", False),
        ("http://evil.example@app.example", "app.example", False),
        ("http://evil.example:x@app.example", "app.example", False),
        ("http://app.example/", "app.example", False),
        ("http://app.example?a", "app.example", False),
        ("http://app.example#a", "app.example", False),
        ("http://app.example\\@evil.example", "app.example", False),
        ("http://app\t.example", "app.example", False),
        ("http://app.example ", "app.example", False),
        ("ftp://app.example", "app.example", False),
        ("capacitor://app.example", "app.example", False),
        ("//app.example", "app.example", False),
    ],
)
def test_origins(origin: str | None, host: str, allowed: bool) -> None:
    """Only our own pages, and those of allowed origins, may connect."""
    headers = {"host": host} if origin is None else {"host": host, "origin": origin}
    assert origin_allowed(connection(**headers), ("https://partner.example",)) is allowed


def test_keys_can_be_replaced_one_after_the_other() -> None:
    """A new key signs from the start; what an old one has signed is good for as long as that is named."""
    old, new = b"o" * 16, b"n" * 16
    cookie_of = {name: Sessions(Signer(*keys)).create() for name, keys in {"old": (old,), "both": (new, old)}.items()}
    good = {
        name: {
            signed: Sessions(Signer(*keys)).find(connection(cookie=f"{COOKIE_NAME}={value}")) is not None
            for signed, value in cookie_of.items()
        }
        for name, keys in {"both": (new, old), "new": (new,), "old": (old,)}.items()
    }
    assert good == {
        "both": {"old": True, "both": True},
        "new": {"old": False, "both": True},
        "old": {"old": True, "both": False},
    }


class Member(BaseUser):
    """A user with an identity."""

    is_authenticated = True
    display_name = "Ann"
    identity = "42"


class Nobody(BaseUser):
    """A user who is signed in, and has no name."""

    is_authenticated = True
    display_name = ""


class Bare(BaseUser):
    """A user class that implements nothing."""


@pytest.mark.parametrize(
    ("scope", "user"),
    [
        ({}, None),
        ({"user": None}, None),
        ({"user": UnauthenticatedUser()}, None),
        ({"user": SimpleUser("ann")}, "ann"),
        ({"user": Member()}, "42"),
        ({"user": Bare()}, None),
        ({"user": Nobody()}, NamelessUser),
        ({"user": "a name only"}, None),
    ],
)
def test_the_user_is_whom_the_host_app_has_authenticated(
    scope: dict[str, object], user: str | type[Exception] | None
) -> None:
    """By what tells users apart, else by the name; of who is not authenticated, or is no user object, nothing."""
    asked = HTTPConnection({"type": "http", "headers": [], **scope})
    if isinstance(user, type):
        with pytest.raises(user):
            user_of(asked)
    else:
        assert user_of(asked) == user
