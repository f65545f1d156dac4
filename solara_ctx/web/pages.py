"""The page functions of an app."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from starlette.requests import HTTPConnection

from solara_ctx.interruptible import add_app_code
from solara_ctx.look import Theme, begin
from solara_ctx.web.assets import HashedFiles
from solara_ctx.web.looks import Appearance, Look
from solara_ctx.web.paths import located, mount_url, relative_path

PageCallable = Callable[[], object] | Callable[[HTTPConnection], object]
"""A page function: it takes no argument, or the page's connection."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page function, and how the page looks around its widgets; what is not given is as `KernelApp` has it.

    Args:
        function: Runs once per page, see `KernelApp`.
        title: What the browser calls the page; the function's name where nobody says more.
        favicon: The file of a picture, its URL, or an emoji.
        theme: `"light"`, `"dark"`, or `"auto"` for what the browser's user prefers.
        template: The file of a Jinja2 template for the HTML around the widgets.

    Raises:
        TypeError, ValueError: one of them can't be used.
    """

    function: PageCallable
    title: str | None = None
    favicon: str | Path | None = None
    theme: Theme | None = None
    template: str | Path | None = None

    def __post_init__(self) -> None:
        _ = self.look

    @property
    def look(self) -> Look:
        """What was said about how it looks."""
        return Look(self.title, self.favicon, self.theme, self.template)


AnyPages = PageCallable | Page | Mapping[str, PageCallable | Page]
"""What `KernelApp` takes: one page, or several by path."""


class Given(NamedTuple):
    """What a page was made of."""

    function: PageCallable
    look: Look

    def is_same(self, other: "Given | None") -> bool:
        """Whether a page of that is this one.  Two functions are not one because they are equal."""
        return other is not None and self.function is other.function and self.look == other.look


class Replaced(NamedTuple):
    """What became of pages when others took their place."""

    changed: set[str]
    """The paths that have another page function or look, or one for the first time."""
    gone: set[str]
    """The paths that have no page any more."""


class Pages:
    """The page functions of one `KernelApp` by path, and how their pages look.

    Args:
        pages: What the app was given.
        look: How pages look where they say nothing themselves.
        files: Is given what the browser asks for.
        reload: Whether templates are read anew when they have changed.

    Raises:
        TypeError: a page function is no function that takes at most the page's connection.
        ValueError: a path does not begin with a slash, or has parameters; a file of the look can't be used.
    """

    def __init__(self, pages: AnyPages, *, look: Look, files: HashedFiles, reload: bool) -> None:
        by_path = pages if isinstance(pages, Mapping) else {"/": pages}
        if not by_path:
            raise ValueError("KernelApp needs at least one page function")
        whole = {_check_path(path): page if isinstance(page, Page) else Page(page) for path, page in by_path.items()}
        self._given = {path: Given(page.function, page.look.over(look)) for path, page in whole.items()}
        self._functions = {path: _adapt(path, page.function) for path, page in whole.items()}
        self._appearances = {
            path: Appearance(page.look.over(look), title=_title(page.function), files=files, reload=reload)
            for path, page in whole.items()
        }

    @property
    def paths(self) -> list[str]:
        """The paths that have a page, relative to the mount."""
        return list(self._functions)

    def appearance(self, path: str) -> Appearance:
        """How the page at *path* looks."""
        return self._appearances[path]

    def alike(self, path: str) -> list[str]:
        """The paths whose pages may take the place of that one in its document: those of the same template."""
        template = self._given[path].look.template
        return [other for other, given in self._given.items() if given.look.template == template]

    def bind(self, connection: HTTPConnection) -> "BoundPage | None":
        """The page function for what the connection asks for, ready to run; `None` if there is no such page."""
        path = relative_path(connection.scope)
        return BoundPage(self, path, connection) if path in self._functions else None

    def run(self, path: str, connection: HTTPConnection) -> object:
        """Run the page function that is at *path* now.  On a worker.

        Raises:
            LookupError: there is none any more.
        """
        function = self._functions.get(path)
        if function is None:
            raise LookupError(f"the app has no page at {path} any more")
        # Each time: the page function may run again in the same page, which looks by then as user code has it.
        begin(self._appearances[path].properties(mount_url(connection.scope)))
        return function(connection)

    def replace(self, others: "Pages") -> Replaced:
        """Have the pages of *others* from now on.  A page is the same where its function is the very same object,
        and looks the same.

        Loop only; a page function that runs is not disturbed.
        """
        before = self._given
        self._given, self._functions, self._appearances = others._given, others._functions, others._appearances
        changed = {path for path, given in self._given.items() if not given.is_same(before.get(path))}
        return Replaced(changed, before.keys() - self._given.keys())


class BoundPage:
    """The page at a path, for one connection: ready to run, with the function that is there when it runs.  Implements
    `solara_ctx.run.Navigable`.
    """

    def __init__(self, pages: Pages, path: str, connection: HTTPConnection) -> None:
        self.path = path
        """Relative to the mount."""
        self._pages = pages
        self._connection = connection

    def __call__(self) -> object:
        """Run the page function.  On a worker.

        Raises:
            LookupError: there is none any more.
        """
        return self._pages.run(self.path, self._connection)

    def at(self, location: str) -> "BoundPage | None":
        """The page for another path and query, for the same browser; `None` where there is none."""
        connection = located(self._connection.scope, location)
        return None if connection is None else self._pages.bind(connection)


def _check_path(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"the path {path!r} of a page has to begin with a slash")
    if "{" in path:
        raise ValueError(
            f"the path {path!r} of a page can't have parameters; let the page function take the page's connection, "
            "and read its query_params"
        )
    return path


def _adapt(path: str, function: PageCallable) -> Callable[[HTTPConnection], object]:
    """A page function that takes the connection, whether the user's does or not."""
    given: object = function
    if not callable(given) or isinstance(given, type):
        raise TypeError(f"the page at {path} has to be a function, not {given!r}")
    add_app_code(function)
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL}]
    required = [p for p in positional if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    required += [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(required) > 1 or (required and required[0].kind is required[0].KEYWORD_ONLY):
        raise TypeError(
            f"the page function at {path} may take one argument, the page's connection, not {len(required)}"
        )
    if positional:
        return cast("Callable[[HTTPConnection], object]", function)
    plain = cast("Callable[[], object]", function)
    return lambda _connection: plain()


def _title(function: PageCallable) -> str:
    name: object = getattr(function, "__name__", None)
    words = str(name or type(function).__name__).strip("_").replace("_", " ").capitalize()
    return "Page" if words in {"", "<lambda>"} else words
