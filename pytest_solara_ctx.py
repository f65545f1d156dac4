"""The pytest plugin of solara-ctx: the fixture `leak_check`.

Outside the package because every test run of everybody who has it installed loads this module: the package itself takes
half a second to import, this takes nothing.
"""

import warnings
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from solara_ctx.leakcheck.pytest_plugin import LeakCheck

_MARKER = (
    "leak_check(sessions, cycles, allow_gc, allow_bounded): defaults for the fixture `leak_check` of this test; see "
    "its ini options of the same names"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini options."""
    parser.addini("leak_check_sessions", "leak_check: how many sessions are open at the same time", default="5")
    parser.addini("leak_check_cycles", "leak_check: how often so many sessions are opened and closed", default="4")
    parser.addini(
        "leak_check_allow_gc",
        "leak_check: whether kernels that only the garbage collector frees are a warning, not a failure",
        type="bool",
        default=True,
    )
    parser.addini(
        "leak_check_allow_bounded",
        "leak_check: whether closed kernels that are kept, but no more with further sessions, are a warning",
        type="bool",
        default=True,
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def leak_check(request: pytest.FixtureRequest) -> "LeakCheck":
    """Check that a page or an app lets go of what its sessions have made: `leak_check(page)`.

    See `solara_ctx.leakcheck.pytest_plugin.LeakCheck`.
    """
    with warnings.catch_warnings():
        # What other packages warn of when they are imported is not what the test is about.
        warnings.simplefilter("ignore")
        # Here and not above: half a second that only those pay who ask for the fixture.
        from solara_ctx.leakcheck.pytest_plugin import LeakCheck  # noqa: PLC0415
    return LeakCheck(request)
