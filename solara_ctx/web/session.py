"""Who asks: the session cookie, kernel ids that are bound to it, and the origin of a request."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from solara_ctx.errors import InvalidKernelId, NamelessUser
from solara_ctx.web.paths import mount_url

COOKIE_NAME = "solara-session-id"
# 128 bits of chance and 128 bits of signature: neither is guessed (OWASP asks for 64 bits of entropy at least).
_NONCE_BYTES = 16
_SIGNATURE_BYTES = 16
_TIME_BYTES = 6
_DEFAULT_PORTS = {"http": 80, "https": 443}
# A scheme that pages are served by, a host, a port, and nothing else (RFC 6454 section 6.2). An app's own scheme is
# another site, whatever it has for a host.
_ORIGIN = re.compile(r"https?://[^/?#@\\\s]+", re.IGNORECASE)
_DAY_S = 86400
_COOKIE_LIFETIME_S = 365 * _DAY_S


class Signer:
    """Signs values, each for one purpose: a session cookie never passes as a kernel id.

    Args:
        keys: The first signs; what one of the others has signed is good, too.  A random key where there is none.
    """

    def __init__(self, *keys: bytes) -> None:
        self._keys = keys or (secrets.token_bytes(32),)

    def sign(self, purpose: str, *parts: bytes) -> bytes:
        """The signature of *parts*, in this order, for *purpose*."""
        return _signature(self._keys[0], purpose, parts)

    def verify(self, signature: bytes, purpose: str, *parts: bytes) -> bool:
        """Whether the signature is ours; in constant time for each key."""
        return any(hmac.compare_digest(signature, _signature(key, purpose, parts)) for key in self._keys)


class Sessions:
    """Browser sessions: a signed random id in a cookie, and nothing kept on the server.

    Args:
        signer: Signs them.
        in_frames: Whether the browser is to send the cookie also where the page is in a frame of another site.
    """

    def __init__(self, signer: Signer, *, in_frames: bool = False) -> None:
        self._signer = signer
        self._in_frames = in_frames

    def find(self, connection: HTTPConnection) -> str | None:
        """The session id that the request carries, `None` where it carries none that we have signed.

        A browser may send several cookies of one name, one for each path on the way to ours; the signature tells
        which is ours.
        """
        return next((value for value in _cookie_values(connection) if self._is_ours(value)), None)

    def create(self) -> str:
        """A new session id."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _encode(nonce + self._signer.sign("session", nonce))

    def set_cookie(self, response: Response, connection: HTTPConnection, session_id: str) -> None:
        """Let the browser keep the session id."""
        response.set_cookie(
            COOKIE_NAME,
            session_id,
            max_age=_COOKIE_LIFETIME_S,
            path=_cookie_path(connection),
            secure=self._in_frames or connection.url.scheme in {"https", "wss"},
            httponly=True,
            samesite="none" if self._in_frames else "lax",
        )
        if self._in_frames:
            # A cookie of its own for each site that frames us: without it browsers that block third-party cookies send
            # none (CHIPS). Written by hand, as http.cookies knows it from Python 3.14 on only.
            name, value = response.raw_headers.pop()
            response.raw_headers.append((name, value + b"; Partitioned"))

    def _is_ours(self, value: str) -> bool:
        raw = _decode(value)
        return (
            raw is not None
            and len(raw) == _NONCE_BYTES + _SIGNATURE_BYTES
            and self._signer.verify(raw[_NONCE_BYTES:], "session", raw[:_NONCE_BYTES])
        )


def _signature(key: bytes, purpose: str, parts: tuple[bytes, ...]) -> bytes:
    message = b"".join(len(part).to_bytes(4, "big") + part for part in (purpose.encode(), *parts))
    return hmac.digest(key, message, hashlib.sha256)[:_SIGNATURE_BYTES]


def user_of(connection: HTTPConnection) -> str | None:
    """The user as whom the host app has authenticated the request, `None` for nobody.

    Raises:
        NamelessUser: nothing tells that user from others.

    Starlette's `AuthenticationMiddleware`, and what is made like it, leaves the user in the scope.  Its `identity` is
    for telling users apart; `SimpleUser` has a `display_name` only.
    """
    user: object = connection.scope.get("user")
    if not _trait(user, "is_authenticated"):
        return None
    for name in ("identity", "display_name"):
        value = _trait(user, name)
        if value not in {None, ""}:
            return str(value)
    raise NamelessUser(type(user).__name__)


def _trait(user: object, name: str) -> object:
    try:
        return getattr(user, name, None)
    except NotImplementedError:  # Starlette's BaseUser, for what a user class does not have
        return None


class KernelIds:
    """Kernel ids: random, signed, dated, and bound to the session that they were issued to.

    Implements `solara_ctx.ports.Ids`.  Nothing is kept of an id: one that is never used costs nothing.

    Args:
        signer: Signs them.
        lifetime_s: For how many seconds a kernel may be started under an id.
        now: Seconds since the epoch: ids outlive a process when several share a key.
    """

    def __init__(self, signer: Signer, *, lifetime_s: float, now: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._lifetime_s = lifetime_s
        self._now = now

    def issue(self, session_id: str) -> str:
        """A new kernel id for that session.  None begins with a dash: people give them to commands."""
        issued = int(self._now() * 1000).to_bytes(_TIME_BYTES, "big")
        body = secrets.token_bytes(_NONCE_BYTES) + issued
        while _encode(body).startswith("-"):
            body = secrets.token_bytes(_NONCE_BYTES) + issued
        return _encode(body + self._signer.sign("kernel", body, session_id.encode()))

    def check(self, kernel_id: str, session_id: str) -> None:
        """Check that the id was issued to that session.

        Raises:
            InvalidKernelId: it was not.
        """
        body, signature = _split_id(kernel_id)
        if not self._signer.verify(signature, "kernel", body, session_id.encode()):
            raise InvalidKernelId(kernel_id, why="it was not issued to this session by this server")

    def remaining_s(self, kernel_id: str) -> float:
        """For how many seconds more a kernel may be started under a checked id.

        Raises:
            InvalidKernelId: it has not the form of an id.
        """
        body, _ = _split_id(kernel_id)
        issued_ms = int.from_bytes(body[_NONCE_BYTES:], "big")
        return issued_ms / 1000 + self._lifetime_s - self._now()


def origin_allowed(connection: HTTPConnection, allowed_origins: tuple[str, ...]) -> bool:
    """Whether the page that sent the request may talk to us: our own, or one of an allowed origin.

    A browser sends `Origin` with every websocket handshake and every POST; what is no browser has no cookie of
    somebody else's to abuse, and may leave it out (RFC 6454 section 7.3, OWASP's WebSocket cheat sheet).
    Only host and port are compared: behind a proxy that ends TLS, we do not know the scheme that the browser sees.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    if not _ORIGIN.fullmatch(origin):
        return False
    if origin.lower() in allowed_origins:
        return True
    try:
        parts = urlsplit(origin)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        host = urlsplit(f"//{connection.headers.get('host', '')}")
        # A Host without a port means the default one of the scheme that the browser used, which is the origin's.
        host_port = host.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.hostname, port) == (host.hostname, host_port)


def _split_id(kernel_id: str) -> tuple[bytes, bytes]:
    raw = _decode(kernel_id)
    body_bytes = _NONCE_BYTES + _TIME_BYTES
    if raw is None or len(raw) != body_bytes + _SIGNATURE_BYTES:
        raise InvalidKernelId(kernel_id, why="it has not the form of an id of ours")
    return raw[:body_bytes], raw[body_bytes:]


def _cookie_path(connection: HTTPConnection) -> str:
    # Without the slash at its end, which the address of the mount itself may lack.  A semicolon would end the path.
    return mount_url(connection.scope).rstrip("/").replace(";", "%3B") or "/"


def _cookie_values(connection: HTTPConnection) -> Iterator[str]:
    for header in connection.headers.getlist("cookie"):
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE_NAME:
                yield value.strip('"')


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
    # base64 decodes several texts to the same bytes; an id has one spelling, or one kernel would have many names.
    return raw if _encode(raw) == text else None
