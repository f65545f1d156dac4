"""What the commands share that serve somebody's code."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from solara_ctx import serving
from solara_ctx.serving import UsageError, _is_drive, load_app, mounted
from solara_ctx.web.app import KernelApp

PAGE = """
def page():
    pass


def other():
    pass
"""
WHOLE_APP = """
from starlette.applications import Starlette
from starlette.routing import Mount
from solara_ctx import KernelApp

kernels = KernelApp(lambda: None)
app = Starlette(routes=[Mount("/dash", kernels)], lifespan=kernels.lifespan)
without = Starlette()
number = 3
"""


@pytest.fixture
def folder(working_folder: Path) -> Path:
    """With a page in it."""
    (working_folder / "some_page.py").write_text(PAGE)
    return working_folder


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("some_page.py", "page"),
        ("./some_page.py:other", "other"),
        ("some_page:page", "page"),
        ("some_page", "page"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_page_is_found(target: str, name: str) -> None:
    """By file, by file and name, by module and name; `page` is the default name."""
    app = load_app(target)
    assert isinstance(app, KernelApp)
    assert getattr(app._pages._given["/"].function, "__name__", "") == name


def test_an_error_in_the_page_itself_is_not_hidden(folder: Path) -> None:
    """A module that the page misses is the page's own error, with its traceback."""
    (folder / "broken.py").write_text("import no_such_module_at_all")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        load_app("broken")


def test_a_windows_path_is_one_file() -> None:
    """The colon of a drive does not begin a name."""
    assert _is_drive("C:\\apps\\page.py")
    assert not _is_drive("page.py:name")
    assert not _is_drive("C:\\apps\\page.py:name")


def test_a_file_without_a_page_may_have_an_app(folder: Path) -> None:
    """`app` is the default name where there is no `page`; the app is taken as it is."""
    (folder / "whole.py").write_text(WHOLE_APP)
    app = load_app("whole.py")
    assert isinstance(app, Starlette)
    assert [path for path, _ in mounted(app)] == ["/dash"]
    assert isinstance(load_app("whole.py:kernels"), KernelApp)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("whole.py:without", "no KernelApp mounted"),
        ("whole.py:absent", "has no 'absent'"),
        ("whole.py:number", "neither a page function nor an app"),
        ("empty.py", "has neither a 'page' nor an 'app'"),
        ("nowhere.py", "there is no file nowhere.py"),
        ("no_such_module:page", "there is no module no_such_module"),
    ],
)
def test_an_app_that_is_not_there_is_said(folder: Path, target: str, message: str) -> None:
    """Each mistake has its own sentence."""
    (folder / "whole.py").write_text(WHOLE_APP)
    (folder / "empty.py").write_text("")
    with pytest.raises(UsageError, match=message):
        load_app(target)


def test_kernel_apps_are_found_wherever_they_are_mounted() -> None:
    """In apps inside apps, and behind a middleware that somebody has put around by hand."""

    class Around:
        def __init__(self, app: object) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            """Never called here."""

    first, second, alone = (KernelApp(lambda: None) for _ in range(3))
    inner = Starlette(routes=[Mount("/deep", first)])
    app = Starlette(routes=[Route("/about", lambda request: None), Mount("/in", inner), Mount("/", second)])
    assert mounted(Around(app)) == [("/in/deep", first), ("", second)]
    assert mounted(alone) == [("", alone)]


UNLIMITED = -1


@pytest.mark.parametrize(
    ("before", "asked", "warned"),
    [
        ((1024, 524_288), [(524_288, 524_288)], False),
        ((1024, 1024), [], True),
        ((1024, 2000), [(2000, 2000)], True),
        ((1024, UNLIMITED), [(1 << 20, UNLIMITED)], False),
        ((UNLIMITED, UNLIMITED), [], False),
        ((70_000, 524_288), [(524_288, 524_288)], False),
    ],
)
def test_as_many_open_files_as_the_system_allows(
    before: tuple[int, int],
    asked: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    warned: bool,
) -> None:
    """The soft limit is raised to the hard one; where that is low, the log says what to do."""
    calls: list[tuple[int, int]] = []
    limits = SimpleNamespace(
        RLIMIT_NOFILE=7,
        RLIM_INFINITY=UNLIMITED,
        getrlimit=lambda _: before,
        setrlimit=lambda _, wanted: calls.append(wanted),
    )
    monkeypatch.setattr(serving, "resource", limits)
    with caplog.at_level(logging.WARNING, "solara_ctx.serving"):
        serving.allow_open_files()
    assert calls == asked
    assert [
        f"{max(before[0], *(wanted for wanted, _ in asked), 0)} open files" in text for text in caplog.messages
    ] == ([True] if warned else [])


def test_a_limit_that_can_not_be_raised(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The server starts with what there is."""

    def refuse(*_: object) -> None:
        raise ValueError("not allowed")

    limits = SimpleNamespace(RLIMIT_NOFILE=7, RLIM_INFINITY=-1, getrlimit=lambda _: (256, 9000), setrlimit=refuse)
    monkeypatch.setattr(serving, "resource", limits)
    with caplog.at_level(logging.WARNING, "solara_ctx.serving"):
        serving.allow_open_files()
    assert len(caplog.messages) == 1
    assert "256 open files" in caplog.messages[0]
