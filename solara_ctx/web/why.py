"""`/resourcez?why=<id>`: what keeps a closed kernel alive, for whoever may ask."""

from collections.abc import Callable, Sequence
from functools import partial
from weakref import ReferenceType

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from solara_ctx.leaks.explain import Explanation, explain
from solara_ctx.leaks.tracker import LeakTracker

_NO_STORE = {"Cache-Control": "no-store"}
_WRITERS: dict[str, tuple[str, Callable[[Explanation], str]]] = {
    "text": ("text/plain", lambda found: f"{found.text()}\n"),
    "dot": ("text/vnd.graphviz", Explanation.dot),
    "svg": ("image/svg+xml", Explanation.svg),
}


class Why:
    """Answers one question at a time: each looks through the whole memory of the process.  Loop only."""

    def __init__(
        self,
        tracker: LeakTracker,
        search: "Callable[[Sequence[ReferenceType[object]]], Explanation]" = explain,
    ) -> None:
        self._tracker = tracker
        self._search = search
        self._busy = False

    async def answer(self, request: Request, kernel: str) -> Response:
        """What keeps the closed kernel whose id begins so; with `?format=text`, `dot` or `svg`, not as JSON."""
        form = request.query_params.get("format", "json")
        if form != "json" and form not in _WRITERS:
            return refusal(400, f"there is no such format; ask for one of: json, {', '.join(_WRITERS)}")
        parts = self._tracker.living(kernel)
        if not parts:
            return refusal(404, "no closed kernel of that id is alive; `zombies` in /resourcez lists those that are")
        if self._busy:
            return refusal(429, "another such question is being answered; ask again in a moment", {"Retry-After": "5"})
        self._busy = True
        try:
            found = await anyio.to_thread.run_sync(partial(self._search, parts))
        finally:
            self._busy = False
        self._tracker.note_holder(kernel, found.text())
        if form in _WRITERS:
            media_type, write = _WRITERS[form]
            return PlainTextResponse(write(found), headers=_NO_STORE, media_type=media_type)
        return JSONResponse(_as_json(found), headers=_NO_STORE)


def refuse(token: str | None) -> Response:
    """What somebody is told who may not ask."""
    if token is None:
        return refusal(403, "set SOLARA_RESOURCEZ_TOKEN to ask from another machine, or through a proxy")
    return refusal(401, "send the token of SOLARA_RESOURCEZ_TOKEN", {"WWW-Authenticate": "Bearer"})


def _as_json(found: Explanation) -> dict[str, object]:
    culprit = found.culprit
    return {
        "found": found.found,
        "text": found.text(),
        "culprit": None if culprit is None else {"file": culprit.file, "line": culprit.line, "text": culprit.text},
        "root": found.root,
        "links": [{"text": link.text, "kind": link.kind, "file": link.file, "line": link.line} for link in found.links],
        "target": found.target,
        "note": found.note,
        "seconds": found.seconds,
    }


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Another answer than was asked for, and what to do."""
    return JSONResponse({"message": message}, status, {**_NO_STORE, **(headers or {})})
