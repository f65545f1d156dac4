"""Attacks by plain requests: paths, headers, methods, bodies, what comes back in a page, and `/resourcez`."""

import json
from collections.abc import Mapping

from integration.faults.support.arena import STRANGER, TOKEN, Arena, Attack
from integration.faults.support.raw import everything, exchange, head

Cases = dict[str, tuple[Attack, object]]
SCRIPT = "<script>alert(1)</script>"
EVIL = "evil.example"


def gets(path: str, **headers: str) -> Attack:
    """The status of a GET, for a path below the mount."""

    async def attack(arena: Arena) -> int:
        answer = await arena.request("GET", path, _named(headers))
        assert b"root:" not in answer.body
        return answer.status

    return attack


def target(whole: str, method: str = "GET") -> Attack:
    """The status of a request with that in the place of a path."""

    async def attack(arena: Arena) -> int:
        return (await exchange(arena.url, head(method, whole, {"Host": arena.host}))).status

    return attack


PATHS: Cases = {
    "dots out of static": (gets("static/../../../../etc/passwd"), 404),
    "encoded dots": (gets("static/%2e%2e/%2e%2e/%2e%2e/etc/passwd"), 404),
    "encoded slashes": (gets("static/..%2f..%2f..%2fetc%2fpasswd"), 404),
    "doubly encoded dots": (gets("static/%252e%252e%252fetc%252fpasswd"), 404),
    "backslashes": (gets("static/..\\..\\..\\etc\\passwd"), 404),
    "encoded backslashes": (gets("static/..%5c..%5c..%5cetc%5cpasswd"), 404),
    "a null byte": (gets("static/manifest.json%00.js"), 404),
    "an absolute path": (gets("static//etc/passwd"), 404),
    "a drive": (gets("static/C:/Windows/win.ini"), 404),
    "overlong UTF-8": (gets("static/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd"), 404),
    "dots with a semicolon": (gets("static/..;/..;/etc/passwd"), 404),
    "the manifest": (gets("static/manifest.json"), 404),
    "a compressed twin": (gets("static/main.js.br"), 404),
    "the folder": (gets("static/"), 404),
    "a module of the package": (gets("static/../app.py"), 404),
    "dots to the API": (gets("static/../resourcez"), 404),
    "dots out of the files": (gets("files/a/b/../../../../etc/passwd"), 404),
    "encoded dots in the name of a file": (gets("files/a/b/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), 404),
    "a file of nobody": (gets("files/a/b/passwd"), 403),
    "an endless name": (gets("static/" + "a" * 60_000), 404),
    "a line that is too long": (gets("static/" + "a" * 200_000), 400),
    "an endless query": (gets("?" + "a=b&" * 15_000), 200),
    "a whole address as target": (target(f"http://{EVIL}/static/main.js"), 404),
    "an asterisk as target": (target("*", "OPTIONS"), 404),
    "a tunnel": (target(f"{EVIL}:443", "CONNECT"), 404),
    "bytes beyond ASCII": (target("/\xff\xfe"), 400),
    "a space in the path": (target("/a b"), 400),
}


def without(word: str, path: str = "", **headers: str) -> Attack:
    """Whether a page can be had, in which nothing comes back of what was put in: the status."""

    async def attack(arena: Arena) -> int:
        answer = await arena.request("GET", path, _named(headers))
        shown = answer.body + json.dumps([pair for pair in answer.headers if pair[0] != "date"]).encode()
        assert word.encode() not in shown, answer
        assert sorted(name for name, _ in answer.headers if name == "set-cookie") == ["set-cookie"] * (
            answer.status == 200
        )
        return answer.status

    return attack


def raw_header(line: bytes) -> Attack:
    """The status of a request with that line among its headers."""

    async def attack(arena: Arena) -> int:
        data = head("GET", arena.base, {"Host": arena.host})
        return (await exchange(arena.url, data.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n", 1))).status

    return attack


HEADERS: Cases = {
    "line breaks in the path": (without("X-Evil", "%0d%0aX-Evil:%20yes%0d%0a"), 404),
    "line breaks in the query": (without("X-Evil", "?a=%0d%0aX-Evil:%20yes"), 200),
    "line breaks below static": (without("X-Evil", "static/%0d%0aX-Evil:%20yes"), 404),
    "a folded header": (raw_header(b"X-One: a\r\n\tX-Two: b"), 200),
    "a header without a name": (raw_header(b": evil"), 400),
    "a header with a null byte": (raw_header(b"X-One: a\x00b"), 400),
    "a bare line feed in a header": (raw_header(b"X-One: a\nX-Two: b"), 200),
    "a space before the colon": (raw_header(b"Origin : http://evil.example"), 400),
    "two hosts": (raw_header(b"Host: evil.example"), 400),
    "thousands of headers": (raw_header(b"\r\n".join(b"X-%d: y" % number for number in range(20_000))), 400),
    "a header that is too long": (raw_header(b"X-Long: " + b"a" * 200_000), 400),
    "a host of somebody else": (without(EVIL, Host=EVIL), 200),
    "a host with markup": (without("<script>", Host=f'x"{SCRIPT}'), 200),
    "a forwarded host": (without(EVIL, X_Forwarded_Host=EVIL), 200),
    "a forwarded prefix": (without(EVIL, X_Forwarded_Prefix=f"//{EVIL}"), 200),
    "a forwarded scheme": (without("javascript", X_Forwarded_Proto="javascript"), 200),
    "a forwarded address that is none": (without(SCRIPT, X_Forwarded_For=SCRIPT), 200),
    "a thousand forwarded addresses": (without("203.0.113", X_Forwarded_For="203.0.113.1, " * 1000), 200),
    "a referrer with markup": (without(SCRIPT, Referer=SCRIPT, User_Agent=SCRIPT), 200),
    "markup in the path": (without("<script>", SCRIPT), 404),
    "encoded markup in the path": (without("<script>", "%3Cscript%3Ealert(1)%3C/script%3E"), 404),
    "markup in the query": (without("<script>", f"?title={SCRIPT}&x=%3Cscript%3E"), 200),
    "markup in an unused cookie": (without("<script>", Cookie=f"theme={SCRIPT}"), 200),
}


def redirects(path: str) -> Attack:
    """Where a request is sent to: nowhere, or to the very same host."""

    async def attack(arena: Arena) -> str:
        data = head("GET", path.format(base=arena.base.rstrip("/")), {"Host": arena.host})
        place = (await exchange(arena.url, data)).header("location") or ""
        return place.replace(f"http://{arena.host}{arena.base}", "<here>/")

    return attack


REDIRECTS: Cases = {
    "two slashes": (redirects(f"//{EVIL}"), ""),
    "two slashes and one": (redirects(f"//{EVIL}/"), ""),
    "two slashes and dots": (redirects(f"//{EVIL}/%2e%2e"), ""),
    "a slash and a backslash": (redirects(f"/\\{EVIL}/"), ""),
    "two slashes below the mount": (redirects("{base}//" + EVIL + "/"), ""),
    "two slashes before the mount": (redirects("//" + EVIL + "/..{base}/report/"), ""),
    "a slash too many": (redirects("{base}/report/"), "<here>/report"),
    "a slash too many, and line breaks": (redirects("{base}/report/%0d%0aX-Evil:yes/"), ""),
}

_ODD_METHODS = ("TRACE", "OPTIONS", "PUT", "PATCH", "DELETE", "PROPFIND", "get", "X" * 200)


def methods(path: str, *allowed: str) -> Attack:
    """What the statuses are of all odd methods on a path."""

    async def attack(arena: Arena) -> set[int]:
        cookie = {"Cookie": arena.bystander.client.cookie()}
        own = arena.bystander.client.kernel_id
        return {
            (await arena.request(method, path.format(id=own), cookie)).status
            for method in _ODD_METHODS
            if method not in allowed
        }

    return attack


METHODS: Cases = {
    "methods on the page": (methods(""), {405}),
    "methods on the kernels": (methods("api/kernels"), {405}),
    "methods on a kernel": (methods("api/kernels/{id}", "DELETE"), {405}),
    "methods on a restart": (methods("api/kernels/{id}/restart"), {405}),
    "methods on a beacon": (methods("api/kernels/{id}/pages/p/close"), {405}),
    "methods on the websocket": (methods("api/kernels/{id}/channels"), {404}),
    "methods on resourcez": (methods("resourcez"), {405}),
    "methods on readyz": (methods("readyz"), {405}),
    "methods on a file": (methods("files/{id}/token/a.csv"), {405}),
    "methods on static": (methods("static/main.js"), {404}),
}


def changes_by_get(suffix: str, **headers: str) -> Attack:
    """A GET where only a POST or DELETE should change something: its status, for the bystander's own kernel."""

    async def attack(arena: Arena) -> int:
        client = arena.bystander.client
        path = f"api/kernels/{client.kernel_id}{suffix}"
        return (await arena.request("GET", path, {"Cookie": client.cookie(), **_named(headers)})).status

    return attack


METHODS |= {
    "a restart by GET": (changes_by_get("/restart"), 405),
    "a beacon by GET": (changes_by_get("/pages/page/close"), 405),
    "a method in a header": (changes_by_get("", X_HTTP_Method_Override="DELETE"), 200),
    "a method in the query": (changes_by_get("?_method=DELETE"), 200),
}


def posts(body: bytes, **headers: str) -> Attack:
    """The status of asking for a kernel with a body that nobody needs."""

    async def attack(arena: Arena) -> int:
        return (await arena.request("POST", "api/kernels", _named(headers), body)).status

    return attack


def smuggles(headers: bytes, body: bytes) -> Attack:
    """How many answers come for one request, in the body of which a second one may hide."""

    async def attack(arena: Arena) -> list[str]:
        path = f"{arena.base}api/kernels".encode()
        data = b"POST %s HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n%s" % (path, arena.host.encode(), headers, body)
        said = await everything(arena.url, data)
        return [line.split(" ")[1] for line in said.decode("latin-1").split("\r\n") if line.startswith("HTTP/1.1 ")]

    return attack


HIDDEN = b"GET /resourcez HTTP/1.1\r\nHost: x\r\n\r\n"
BODIES: Cases = {
    "a body that is no JSON": (posts(b"\xff\xfe{", Content_Type="application/json"), 201),
    "a body of 300,000 brackets": (posts(b"[" * 300_000, Content_Type="application/json"), 201),
    "a body that asks for a path": (posts(b'{"path": "/etc", "name": "bash"}'), 201),
    "a form": (posts(b"name=python3", Content_Type="application/x-www-form-urlencoded"), 201),
    "a request inside a body": (smuggles(b"Content-Length: %d" % len(HIDDEN), HIDDEN), ["201"]),
    "a length and chunks": (
        smuggles(b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"0\r\n\r\n" + HIDDEN),
        ["201"],
    ),
    "two lengths": (smuggles(b"Content-Length: 0\r\nContent-Length: 40", HIDDEN), ["400"]),
    "a negative length": (smuggles(b"Content-Length: -1", HIDDEN), ["400"]),
    "a length with a sign": (smuggles(b"Content-Length: +5", HIDDEN), ["400"]),
    "a coding that is none": (smuggles(b"Transfer-Encoding: xchunked", b"0\r\n\r\n" + HIDDEN), ["400"]),
    "a chunk of a size that is none": (smuggles(b"Transfer-Encoding: chunked", b"-5\r\n" + HIDDEN), ["400"]),
    "less than was announced": (smuggles(b"Content-Length: 5000", b"x"), ["201"]),
}


def sees(headers: Mapping[str, str], query: str = "") -> Attack:
    """Whether a stranger sees more than totals: rows, or zombies."""

    async def attack(arena: Arena) -> bool:
        answer = await arena.request("GET", f"resourcez{query}", {**STRANGER, **headers})
        data = json.loads(answer.body)
        assert answer.header("cache-control") == "no-store"
        return "kernel" in data or "zombies" in data

    return attack


def asks_why(headers: Mapping[str, str]) -> Attack:
    """The status of the question what keeps a kernel, which is worth seconds of the server's time."""

    async def attack(arena: Arena) -> int:
        return (await arena.request("GET", "resourcez?why=abc&format=svg", headers)).status

    return attack


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


RESOURCEZ: Cases = {
    "no token": (sees({}), False),
    "the token": (sees(bearer(TOKEN)), True),  # so that the others can fail
    "the token by another case of the scheme": (sees(bearer(TOKEN, "bEARER")), True),
    "another token": (sees(bearer("x" * len(TOKEN))), False),
    "the token's beginning": (sees(bearer(TOKEN[:-1])), False),
    "the token and more": (sees(bearer(TOKEN + "x")), False),
    "the token in upper case": (sees(bearer(TOKEN.upper())), False),
    "an empty token": (sees(bearer("")), False),
    "the token by itself": (sees({"Authorization": TOKEN}), False),
    "the token by another scheme": (sees(bearer(TOKEN, "Basic")), False),
    "a token beyond ASCII": (sees(bearer("\xe9" * 20)), False),
    "a token in a cookie": (sees({"Cookie": "token=wrong; Authorization=Bearer"}), False),
    "a token in the query": (sees({}, "?token=wrong&verbose"), False),
    "a forwarded loopback address": (sees({"X-Forwarded-For": "127.0.0.1"}), False),
    "a forwarded IPv6 loopback address": (sees({"X-Forwarded-For": "::1"}), False),
    "a real address of this machine": (sees({"X-Real-IP": "127.0.0.1"}), False),
    "a standard forwarded header": (sees({"Forwarded": "for=127.0.0.1"}), False),
    "a chain that ends here": (sees({"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}), False),
    "a question without a token": (asks_why(STRANGER), 401),
    "a question with another token": (asks_why({**STRANGER, **bearer("wrong")}), 401),
    "a question from this machine, without a token": (asks_why({}), 401),
}


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def page_headers(**asked: str) -> Attack:
    """What a page says of itself, and what its cookie is like."""

    async def attack(arena: Arena) -> list[str]:
        answer = await arena.request("GET", "", _named(asked))
        found = dict(answer.headers)
        cookie = found["set-cookie"].split("; ")[1:]
        assert f"Path={arena.base.rstrip('/') or '/'}" in cookie
        parts = [part for part in cookie if not part.startswith(("Path=", "expires=", "Max-Age="))]
        names = ("cache-control", "referrer-policy", "x-content-type-options", "access-control-allow-origin")
        return [*sorted(parts), *(found.get(name, "") for name in names)]

    return attack


PAGE = ["no-store", "same-origin", "nosniff", ""]
WHAT_A_PAGE_SAYS: Cases = {
    "a page in a cache": (page_headers(), ["HttpOnly", "SameSite=lax", *PAGE]),
    "a cookie by http": (page_headers(X_Forwarded_Proto="https"), ["HttpOnly", "SameSite=lax", "Secure", *PAGE]),
    "a page read by another site": (page_headers(Origin=f"https://{EVIL}"), ["HttpOnly", "SameSite=lax", *PAGE]),
}

CASES: Cases = {
    **{f"path: {name}": case for name, case in PATHS.items()},
    **{f"header: {name}": case for name, case in HEADERS.items()},
    **{f"redirect: {name}": case for name, case in REDIRECTS.items()},
    **{f"method: {name}": case for name, case in METHODS.items()},
    **{f"body: {name}": case for name, case in BODIES.items()},
    **{f"resourcez: {name}": case for name, case in RESOURCEZ.items()},
    **{f"page: {name}": case for name, case in WHAT_A_PAGE_SAYS.items()},
}
