"""Page functions."""

from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from solara_ctx.web.assets import HashedFiles
from solara_ctx.web.looks import Look
from solara_ctx.web.pages import Page, Pages


def asked(path: str, root_path: str = "") -> HTTPConnection:
    return HTTPConnection({"type": "http", "path": root_path + path, "root_path": root_path, "headers": []})


def made(pages: Any, look: Look | None = None) -> Pages:
    return Pages(pages, look=look or Look(), files=HashedFiles(), reload=False)


def test_a_page_function_may_take_the_connection_or_nothing() -> None:
    """Both kinds run; the connection is passed to the one that asks for it."""
    connection = asked("/")
    plain = made(lambda: "plain").bind(connection)
    curious = made(lambda connection: connection).bind(connection)
    optional = made(lambda connection=None: connection).bind(connection)
    assert plain is not None
    assert curious is not None
    assert optional is not None
    assert plain() == "plain"
    assert curious() is connection
    assert optional() is connection


def test_pages_are_found_by_their_path_below_the_mount() -> None:
    """The mount's own path does not count."""
    pages = made({"/": lambda: "home", "/report": lambda: "report"})
    found = pages.bind(asked("/report", root_path="/sub"))
    assert found is not None
    assert found() == "report"
    assert pages.bind(asked("/nowhere")) is None


@pytest.mark.parametrize(
    ("page", "error", "message"),
    [
        ("text", TypeError, "has to be a function"),
        (dict, TypeError, "has to be a function"),
        (lambda one, two: None, TypeError, "may take one argument"),
        (lambda *, only: None, TypeError, "may take one argument"),
        ({}, ValueError, "at least one page"),
        ({"no-slash": lambda: None}, ValueError, "begin with a slash"),
        ({"/item/{name}": lambda: None}, ValueError, "can't have parameters"),
    ],
)
def test_what_is_no_page_is_refused_at_once(page: Any, error: type[Exception], message: str) -> None:
    """A mistake is said when the app is made, not when the first visitor comes."""
    with pytest.raises(error, match=message):
        made(page)


def test_a_page_says_how_it_looks_and_the_app_says_the_rest(tmp_path: Path) -> None:
    """What nobody says is the function's name, no icon, and the browser's own preference."""

    def monthly_report() -> None: ...

    icon = tmp_path / "icon.svg"
    icon.write_text("<svg/>")
    report = Page(monthly_report, title="Report", theme="dark")
    pages = made({"/": monthly_report, "/report": report, "/empty": Page(monthly_report, title="", favicon="")})
    assert pages.appearance("/").properties("/sub/") == {
        "title": "Monthly report",
        "theme": "auto",
        "favicon": "data:,",
    }
    assert pages.appearance("/report").properties("/sub/")["theme"] == "dark"
    assert pages.appearance("/empty").properties("/sub/")["title"] == ""
    pages = made({"/": monthly_report, "/report": report}, look=Look("Acme", icon, "light"))
    home, other = (pages.appearance(path).properties("/sub/") for path in ("/", "/report"))
    assert (home["title"], home["theme"]) == ("Acme", "light")
    assert (other["title"], other["theme"]) == ("Report", "dark")
    assert str(home["favicon"]).startswith("/sub/static/")


def test_a_mistake_in_a_page_is_said_where_it_is_made() -> None:
    """Before the app is made of it."""
    with pytest.raises(ValueError, match="sepia"):
        Page(lambda: None, theme="sepia")  # type: ignore[arg-type]
