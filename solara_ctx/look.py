"""What a page looks like around its widgets, while it is shown: its title, its icon, its theme."""

from collections.abc import Mapping
from typing import Literal, get_args
from urllib.parse import quote

from solara_ctx.current import get_current_context, peek
from solara_ctx.errors import ContextClosed

Theme = Literal["auto", "light", "dark"]
"""`"auto"` is what the browser says that its user prefers."""

_URLS = ("/", "http://", "https://", "data:image/", "./", "../")
_LONGEST_EMOJI = 16  # code points; a family of four has seven


def set_title(title: str) -> None:
    """Let the page that shows this kernel have another title.  Any thread or task of the kernel.

    Raises:
        NoCurrentContext, ContextClosed: there is no current kernel, or it has ended.
        TypeError: the title is no string.
    """
    _change({"title": check_title(title)})


def set_favicon(icon: str) -> None:
    """Let the page that shows this kernel have another icon.  Any thread or task of the kernel.

    Args:
        icon: The URL of a picture, or an emoji; `""` for none.

    Raises:
        NoCurrentContext, ContextClosed: there is no current kernel, or it has ended.
        TypeError, ValueError: it is neither.
    """
    if not isinstance(icon, str):
        raise TypeError(f"an icon is the URL of a picture, or an emoji, not {icon!r}")
    if icon and not is_emoji(icon) and not is_url(icon):
        raise ValueError(f"an icon is the URL of a picture, or an emoji, not {icon!r}")
    _change({"favicon": emoji_url(icon) if is_emoji(icon) else icon})


def set_theme(theme: Theme) -> None:
    """Let the page that shows this kernel be light or dark.  Any thread or task of the kernel.

    Args:
        theme: `"light"`, `"dark"`, or `"auto"` for what the browser's user prefers.

    Raises:
        NoCurrentContext, ContextClosed: there is no current kernel, or it has ended.
        ValueError: there is no such theme.
    """
    _change({"theme": check_theme(theme)})


def begin(properties: Mapping[str, object]) -> None:
    """A page function is about to run here, for a page that looks like that; nothing where no kernel is current."""
    context = peek()
    host = None if context is None else context.host
    if host is not None:
        host.set_page(properties)


def check_title(title: str) -> str:
    """The title.

    Raises:
        TypeError: it is no string.
    """
    if not isinstance(title, str):
        raise TypeError(f"the title of a page is a string, not {title!r}")
    return title


def check_theme(theme: Theme) -> Theme:
    """The theme.

    Raises:
        ValueError: there is no such theme.
    """
    if theme not in get_args(Theme):
        raise ValueError(f"the theme of a page is one of {', '.join(map(repr, get_args(Theme)))}, not {theme!r}")
    return theme


def is_emoji(icon: str) -> bool:
    """Whether the text is one emoji, as far as that can be told: a few characters, none of which is of ASCII."""
    return 0 < len(icon) <= _LONGEST_EMOJI and all(ord(letter) > 0x7F for letter in icon)  # noqa: PLR2004 - ASCII's last


def is_url(icon: str) -> bool:
    """Whether the text says where a browser finds a picture."""
    return icon.startswith(_URLS)


def emoji_url(emoji: str) -> str:
    """A picture of the emoji, as a URL."""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
        f'<text x="50" y=".9em" font-size="90" text-anchor="middle">{emoji}</text></svg>'
    )
    return f"data:image/svg+xml,{quote(svg)}"


def _change(properties: Mapping[str, object]) -> None:
    context = get_current_context()
    host = context.host
    if host is None:
        raise ContextClosed(context.id, doing="change its page", reason=context.close_reason)
    host.set_page(properties)
