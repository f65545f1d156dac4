"""What a page looks like before its program runs, as the app's author has said: checked at once, its files read."""

import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from solara_ctx.look import Theme, check_theme, check_title, emoji_url, is_emoji, is_url
from solara_ctx.web.assets import HashedFiles
from solara_ctx.web.templates import PageTemplate

NO_ICON = "data:,"
"""Without it, browsers ask for /favicon.ico."""


@dataclass(frozen=True, slots=True)
class Look:
    """Title, favicon, theme and template; `None` where nothing was said.

    Raises:
        TypeError, ValueError: one of them can't be used.
    """

    title: str | None = None
    favicon: str | Path | None = None
    theme: Theme | None = None
    template: str | Path | None = None

    def __post_init__(self) -> None:
        if self.title is not None:
            check_title(self.title)
        if self.favicon is not None:
            _check_favicon(self.favicon)
        if self.theme is not None:
            check_theme(self.theme)
        if self.template is not None:
            _check_file(self.template, "template")

    def over(self, other: "Look") -> "Look":
        """This one, and what the other says where this one says nothing."""
        return Look(
            self.title if self.title is not None else other.title,
            self.favicon if self.favicon is not None else other.favicon,
            self.theme or other.theme,
            self.template or other.template,
        )


class Appearance:
    """How one page looks: a `Look` with its files read.

    Args:
        look: What was said.
        title: Where no title was said.
        files: Is given what the page's browser asks for.
        reload: Whether the template is read anew when it has changed.

    Raises:
        ValueError: a file can't be used.
    """

    def __init__(self, look: Look, *, title: str, files: HashedFiles, reload: bool) -> None:
        self.title = title if look.title is None else look.title
        """What the browser calls the page."""
        self.theme: Theme = look.theme or "auto"
        """Light, dark, or as the browser's user prefers."""
        self.template = PageTemplate(None if look.template is None else Path(look.template), reload=reload)
        """The HTML around the widgets."""
        self._file, self._icon = None, NO_ICON
        icon = look.favicon
        if isinstance(icon, str) and is_emoji(icon):
            self._icon = emoji_url(icon)
        elif icon and _is_file(icon):
            self._file = files.add(Path(icon))
        elif icon:
            self._icon = str(icon)

    def favicon(self, base_url: str) -> str:
        """Where the browser finds the page's icon, for an app that is mounted there."""
        return self._icon if self._file is None else f"{base_url}static/{self._file}"

    def properties(self, base_url: str) -> dict[str, object]:
        """What the page's kernel may change later."""
        return {"title": self.title, "theme": self.theme, "favicon": self.favicon(base_url)}


def _is_file(icon: str | Path) -> bool:
    # A path on the server may begin like one of a URL, and is meant where there is such a file.
    return isinstance(icon, Path) or not is_url(icon) or Path(icon).is_file()


def _check_favicon(favicon: str | Path) -> None:
    if not isinstance(favicon, str) or (favicon and not is_emoji(favicon) and _is_file(favicon)):
        path = _check_file(favicon, "favicon")
        kind = mimetypes.guess_type(path.name)[0] or "no known type"
        if not kind.startswith("image/"):
            raise ValueError(f"the favicon {str(path)!r} is no picture, but a file of {kind}")


def _check_file(given: str | Path, what: str) -> Path:
    if not isinstance(cast("object", given), str | Path):
        raise TypeError(f"the {what} of a page is the path of a file, not {given!r}")
    path = Path(given)
    if not path.is_file():
        raise ValueError(
            f"there is no {what} {str(path)!r}, seen from {Path.cwd()}; `Path(__file__).with_name(...)` is the same "
            "from everywhere"
        )
    return path
