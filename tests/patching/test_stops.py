"""Hypercorn says that it is about to stop."""

import importlib
import inspect
import sys
from typing import Any

import pytest
from hypercorn.utils import ShutdownError

from solara_ctx.patching import on_server_stop, stops
from tests.support.kernels import patched

server: Any = importlib.import_module("hypercorn.asyncio.run")  # as hypercorn does before it starts an app


async def test_the_server_waits_for_those_that_listen() -> None:
    """It stops once they have done what they have to, and it is asked to."""
    heard: list[str] = []

    async def listen() -> None:
        heard.append("listener")

    async def ask() -> None:
        heard.append("asked")

    unregister = on_server_stop(listen)
    with patched():
        with pytest.raises(ShutdownError):
            await server.raise_shutdown(ask)
        unregister()
        unregister()
        with pytest.raises(ShutdownError):
            await server.raise_shutdown(ask)
    assert heard == ["asked", "listener", "asked"]


def test_another_server_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is imported for the patch."""
    assert len(stops.patches()) == 1
    monkeypatch.delitem(sys.modules, "hypercorn.asyncio.run")
    assert stops.patches() == ()


def test_canary_hypercorn_waits_for_the_stop_after_the_app_has_started() -> None:
    """By that name, so that what a starting app puts there is what it calls."""
    source = inspect.getsource(server.worker_serve)
    assert source.index("wait_for_startup()") < source.index("create_task(raise_shutdown(shutdown_trigger))")
    assert source.index("raise_shutdown(") < source.index("wait_for_shutdown()")
