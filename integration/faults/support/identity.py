"""Attacks by who one seems to be: origins, cookies, and kernel ids."""

import base64
import time
from collections.abc import Callable, Mapping

import httpx2

from integration.faults.support.arena import KEY, Arena, Attack
from integration.faults.support.raw import Answer
from integration.support.protocol import JupyterClient
from solara_ctx.web.session import COOKIE_NAME, KernelIds, Sessions, Signer

Cases = dict[str, tuple[Attack, object]]
FORBIDDEN = {
    "websocket": 403,
    "issue": 403,
    "show": 403,
    "restart": 403,
    "interrupt": 403,
    "beacon": 403,
    "delete": 403,
    "file": 403,
}
GONE = {name: 404 for name in FORBIDDEN if name != "issue"} | {"beacon": 204, "websocket": 4410}
LIFETIME_S = 300.0


async def tries(arena: Arena, kernel: str, headers: Mapping[str, str], *, issue: bool = False) -> dict[str, int]:
    """Everything that can be asked about a kernel: the statuses, and the close code of a websocket that came about."""
    path = f"api/kernels/{kernel}"
    plain = {"Content-Type": "text/plain", **headers}  # which a browser sends to another site without asking
    statuses = {"websocket": await _websocket(arena, kernel, headers)}
    if issue:
        statuses["issue"] = (await arena.request("POST", "api/kernels", plain, b"x")).status
    statuses["show"] = (await arena.request("GET", path, headers)).status
    for name in ("restart", "interrupt"):
        statuses[name] = (await arena.request("POST", f"{path}/{name}", plain, b"x")).status
    beacon = await arena.request("POST", f"{path}/pages/{arena.bystander.client.page_id}/close", plain, b"x")
    statuses["beacon"] = beacon.status
    statuses["delete"] = (await arena.request("DELETE", path, headers)).status
    statuses["file"] = (await arena.request("GET", f"files/{kernel}/{'A' * 22}/a.csv", headers)).status
    return statuses


async def _websocket(arena: Arena, kernel: str, headers: Mapping[str, str]) -> int:
    target = f"{arena.base}api/kernels/{kernel}/channels?session_id=page&location=/"
    answer = await arena.shake(target, **headers)
    return answer.status


# Origins


def origin(form: str) -> Attack:
    """With the bystander's own cookie, as the browser of the bystander would send it from another site's page."""

    async def attack(arena: Arena) -> dict[str, int]:
        _, _, port = arena.host.partition(":")
        client = arena.bystander.client
        headers = {"Cookie": client.cookie(), "Origin": form.format(host=arena.host, port=port)}
        return await tries(arena, client.kernel_id, headers, issue=True)

    return attack


ORIGINS: Cases = {
    name: (origin(form), FORBIDDEN)
    for name, form in {
        "another site": "https://evil.example",
        "an opaque one": "null",
        "an empty one": "",
        "a blank one": " ",
        "ours as a prefix": "http://{host}.evil.example",
        "ours as a prefix of the name": "http://127.0.0.1.evil.example:{port}",
        "ours as a suffix": "http://evil{host}",
        "ours as a subdomain's parent": "http://evil.{host}",
        "ours as the user": "http://{host}@evil.example",
        "a user before ours": "http://evil.example@{host}",
        "a password before ours": "http://a:b@{host}",
        "ours in the path": "http://evil.example/{host}",
        "ours and a path": "http://{host}/",
        "ours and a query": "http://{host}?a",
        "ours and a fragment": "http://{host}#a",
        "ours by another scheme": "ftp://{host}",
        "ours by an app's scheme": "capacitor://{host}",
        "another port": "http://127.0.0.1:1",
        "no port": "http://127.0.0.1",
        "port 0": "http://127.0.0.1:0",
        "a port beyond all": "http://127.0.0.1:99999",
        "a port that is none": "http://127.0.0.1:http",
        "a trailing dot": "http://127.0.0.1.:{port}",
        "another name of this machine": "http://localhost:{port}",
        "a short form of the address": "http://127.1:{port}",
        "the address as a number": "http://2130706433:{port}",
        "an IPv6 loopback": "http://[::1]:{port}",
        "ours inside IPv6": "http://[::ffff:127.0.0.1]:{port}",
        "half an IPv6 address": "http://[::1",
        "upper case": "HTTPS://EVIL.EXAMPLE",
        "a file": "file://",
        "an extension": "chrome-extension://abcdefghijklmnop",
        "two of them": "http://{host} https://evil.example",
        "two with a comma": "http://{host},https://evil.example",
        "a tab": "http://127.0.0.1\t:{port}",
        "no scheme": "//{host}",
        "bytes beyond ASCII": "http://\xe9vil.example",
        "the scheme alone": "http://",
    }.items()
}


def too_long(attack: Attack) -> tuple[Attack, object]:
    """Of more than 16 KB of headers: refused by us, or by the server's own reader, where they come in several reads."""

    async def is_refused(arena: Arena) -> bool:
        statuses = await attack(arena)
        assert isinstance(statuses, dict)
        return statuses["websocket"] == 400 and set(statuses.values()) <= {400, 403}

    return is_refused, True


ORIGINS["very long"] = too_long(origin("http://" + "a" * 30_000))

# Cookies

Forge = Callable[[str, str], str]
_signer = Signer(KEY.encode())


def cookie(forge: Forge) -> Attack:
    """A cookie made of the bystander's and the attacker's own values, for the bystander's kernel."""

    async def attack(arena: Arena) -> dict[str, int]:
        async with arena.attacker() as client:
            theirs = arena.bystander.client.http.cookies[COOKIE_NAME]
            headers = {"Cookie": forge(theirs, client.http.cookies[COOKIE_NAME])}
            statuses = await tries(arena, arena.bystander.client.kernel_id, headers)
            # No server of ours writes a session that it has not made into anybody's browser.
            page = await arena.request("GET", "", headers)
            said = page.header("set-cookie") or ""
            assert theirs not in said
            return statuses

    return attack


def one(value: str) -> str:
    """A cookie of our name."""
    return f"{COOKIE_NAME}={value}"


def _bytes(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _flipped(value: str, at: int) -> str:
    raw = bytearray(_bytes(value))
    raw[at] ^= 1
    return _text(bytes(raw))


NOT_OURS = {name: 403 for name in FORBIDDEN if name != "issue"}
COOKIES: Cases = {
    name: (cookie(forge), NOT_OURS)
    for name, forge in {
        "none": lambda _theirs, _mine: "",
        "one's own": lambda _theirs, mine: one(mine),
        "an empty one": lambda _theirs, _mine: one(""),
        "another bit of chance": lambda theirs, _mine: one(_flipped(theirs, 0)),
        "another bit of the signature": lambda theirs, _mine: one(_flipped(theirs, -1)),
        "cut off": lambda theirs, _mine: one(theirs[:-1]),
        "the chance alone": lambda theirs, _mine: one(_text(_bytes(theirs)[:16])),
        "longer": lambda theirs, _mine: one(theirs + "A"),
        "padded": lambda theirs, _mine: one(theirs + "=="),
        "in upper case": lambda theirs, _mine: one(theirs.upper()),
        "percent-encoded": lambda theirs, _mine: one("".join(f"%{ord(character):02x}" for character in theirs)),
        "theirs with one's own signature": lambda theirs, mine: one(_text(_bytes(theirs)[:16] + _bytes(mine)[16:])),
        "one's own with their signature": lambda theirs, mine: one(_text(_bytes(mine)[:16] + _bytes(theirs)[16:])),
        "signed with another key": lambda theirs, _mine: one(Sessions(Signer(b"x" * 32)).create()),
        "signed without a key": lambda theirs, _mine: one(Sessions(Signer(b"")).create()),
        "signed for another purpose": lambda theirs, _mine: one(
            _text(_bytes(theirs)[:16] + _signer.sign("kernel", _bytes(theirs)[:16]))
        ),
        "of another name": lambda theirs, _mine: f"solara-session={theirs}; {COOKIE_NAME.upper()}={theirs}",
        "inside another": lambda theirs, _mine: f"a={COOKIE_NAME}={theirs}",
        "beyond ASCII": lambda _theirs, _mine: one("\xe9" * 43),
        "a hundred": lambda _theirs, _mine: "; ".join([one("A" * 43)] * 100),
        "a script": lambda _theirs, _mine: one("<script>alert(1)</script>"),
    }.items()
}
COOKIES |= {
    "very long": too_long(cookie(lambda _theirs, _mine: one("A" * 50_000))),
    "a thousand": too_long(cookie(lambda _theirs, _mine: "; ".join([one("A" * 43)] * 900))),
}

# Kernel ids


def kernel(forge: Callable[[JupyterClient, JupyterClient], str], expected: object = NOT_OURS) -> tuple[Attack, object]:
    """An id made of the bystander's and the attacker's own, with the attacker's cookie."""

    async def attack(arena: Arena) -> dict[str, int]:
        async with arena.attacker() as client:
            return await tries(arena, forge(arena.bystander.client, client), {"Cookie": client.cookie()})

    return attack, expected


def _ids(ago_s: float = 0.0, key: bytes = KEY.encode()) -> KernelIds:
    return KernelIds(Signer(key), lifetime_s=LIFETIME_S, now=lambda: time.time() - ago_s)


def _session(client: JupyterClient) -> str:
    return client.http.cookies[COOKIE_NAME]


def _younger(kernel_id: str) -> str:
    raw = _bytes(kernel_id)
    later = int((time.time() + 10**6) * 1000).to_bytes(6, "big")
    return _text(raw[:16] + later + raw[22:])


EXPIRED = dict.fromkeys(NOT_OURS, 404) | {"websocket": 101, "beacon": 204}
NO_ROUTE = dict.fromkeys(NOT_OURS, 404) | {"websocket": 403}
KERNELS: Cases = {
    "somebody else's": kernel(lambda theirs, _mine: theirs.kernel_id),
    "a made up one": kernel(lambda _theirs, _mine: "8b3c5e1e-0000-4000-8000-000000000000"),
    "another bit of chance": kernel(lambda _theirs, mine: _flipped(mine.kernel_id, 0)),
    "another bit of its date": kernel(lambda _theirs, mine: _flipped(mine.kernel_id, 21)),
    "another bit of the signature": kernel(lambda _theirs, mine: _flipped(mine.kernel_id, -1)),
    "cut off": kernel(lambda _theirs, mine: mine.kernel_id[:-1]),
    "longer": kernel(lambda _theirs, mine: mine.kernel_id + "A"),
    "padded": kernel(lambda _theirs, mine: mine.kernel_id + "="),
    "in upper case": kernel(lambda _theirs, mine: mine.kernel_id.upper()),
    "dated anew": kernel(lambda _theirs, mine: _younger(mine.kernel_id)),
    "their body, one's own signature": kernel(
        lambda theirs, mine: _text(_bytes(theirs.kernel_id)[:22] + _bytes(mine.kernel_id)[22:])
    ),
    "signed with another key": kernel(lambda _theirs, mine: _ids(key=b"x" * 32).issue(_session(mine))),
    "signed for another session": kernel(lambda theirs, _mine: _ids().issue(_session(theirs))),
    "signed for no session": kernel(lambda _theirs, _mine: _ids().issue("")),
    "a cookie": kernel(lambda _theirs, mine: _session(mine)),
    "expired": kernel(lambda _theirs, mine: _ids(LIFETIME_S + 1).issue(_session(mine)), EXPIRED),
    "a null byte": kernel(lambda _theirs, mine: mine.kernel_id + "%00"),
    "letters beyond ASCII": kernel(lambda _theirs, _mine: "%C3%A9" * 43),
    "bytes that are no UTF-8": kernel(lambda _theirs, _mine: "%ff%fe" * 20),
    "dots and a slash": kernel(lambda _theirs, _mine: "..%2f..%2fresourcez", NO_ROUTE),
    "long": kernel(lambda _theirs, _mine: "A" * 5_000),
    "very long": too_long(kernel(lambda _theirs, _mine: "A" * 30_000)[0]),
    "a script": kernel(lambda _theirs, _mine: "%3Cscript%3E"),
    "empty": kernel(lambda _theirs, _mine: "", NO_ROUTE | {"show": 307, "delete": 307}),
}


async def line_breaks(arena: Arena) -> bool:
    """An id with line breaks and a terminal's escape sequence; Starlette's mount knows no path with the first."""
    async with arena.attacker() as client:
        statuses = await tries(arena, "%0d%0a%1b[31mERROR", {"Cookie": client.cookie()})
        return set(statuses.values()) <= {403, 404}


async def deleted(arena: Arena) -> dict[str, int]:
    """One's own kernel, after its end."""
    async with arena.attacker() as client:
        async with client.websocket() as socket:
            await client.http.delete(client.kernel_path())
            await socket.wait_closed()
        return await tries(arena, client.kernel_id, {"Cookie": client.cookie()})


async def deleted_and_closed(arena: Arena) -> tuple[int | None, str | None]:
    """What the websocket of a page hears that comes back to a kernel that has ended."""
    async with arena.attacker() as client:
        async with client.websocket():
            await client.http.delete(client.kernel_path())
        async with client.websocket() as late:
            await late.wait_closed()
    return late.close_code, late.close_reason


async def list_of_others(arena: Arena) -> list[object]:
    """What a session sees of others' kernels."""
    async with arena.attacker() as client:
        kernels: list[object] = (await client.http.get(f"{client.base}api/kernels")).json()
        assert (await client.http.get(client.kernel_path())).status_code == httpx2.codes.OK
    return kernels


async def beacon_for_others(arena: Arena) -> int:
    """The bystander's page, said to be gone from one's own kernel."""
    async with arena.attacker() as client, client.websocket():
        page = arena.bystander.client.page_id
        return (await client.http.post(f"{client.kernel_path()}/pages/{page}/close")).status_code


async def odd_page_ids(arena: Arena) -> set[int]:
    """Page ids that are none, in a handshake; and as a beacon, where an unknown page is no news."""
    ids = ("", "a/b", "a%20b", "%00", "%0d%0aX", "x" * 65, "x" * 30_000, "%C3%A9", "<script>", "..%2f")
    async with arena.attacker() as client:
        cookie = client.cookie()
        path = f"{client.kernel_path()}/channels?location=/&session_id="
        statuses = {(await arena.shake(path + page_id, Cookie=cookie)).status for page_id in ids}
        for page_id in ids:
            answer: Answer = await arena.request(
                "POST", f"api/kernels/{client.kernel_id}/pages/{page_id}/close", {"Cookie": cookie}
            )
            assert answer.status in {204, 404}, page_id
        return statuses


async def odd_locations(arena: Arena) -> set[int]:
    """Pages that are none, or on another host."""
    places: tuple[str, ...] = (
        "//evil.example/",
        "http://evil.example/",
        "javascript:alert(1)",
        "%2f%2fevil.example",
        "//[",
        "\\\\evil",
    )
    places += ("/../../etc/passwd", "/%252e%252e", "/" + "a" * 3000, "/nowhere", "report", "%00", "/report/%0d%0a")
    async with arena.attacker() as client:
        path = f"{client.kernel_path()}/channels?session_id=page&location="
        return {(await arena.shake(path + place, Cookie=client.cookie())).status for place in places}


OTHERS: Cases = {
    "kernel: line breaks": (line_breaks, True),
    "kernel: of one's own, after its end": (deleted, EXPIRED),
    "kernel: the websocket after its end": (deleted_and_closed, (4410, "shutdown-requested")),
    "kernel: the list of others": (list_of_others, []),
    "page: a beacon for somebody else's": (beacon_for_others, 204),
    "page: ids that are none": (odd_page_ids, {400}),
    "page: locations that are none": (odd_locations, {404}),
}

CASES: Cases = {
    **{f"origin: {name}": case for name, case in ORIGINS.items()},
    **{f"cookie: {name}": case for name, case in COOKIES.items()},
    **{f"kernel: {name}": case for name, case in KERNELS.items()},
    **OTHERS,
}
