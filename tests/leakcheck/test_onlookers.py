"""What a test or a tool keeps is told from what an app keeps."""

import asyncio
import logging
import sys
import weakref
from collections.abc import Iterator

import pytest

from solara_ctx.leakcheck.onlookers import APP, TEST, TOOL, Onlookers

KEPT: list[object] = []


class Thing:
    """Something to keep."""


@pytest.fixture(autouse=True)
def nothing_is_kept_for_the_next() -> Iterator[None]:
    yield
    KEPT.clear()


def whose(reference: "weakref.ref[object]") -> str:
    found, _ = Onlookers(sys._getframe(1)).explain([reference])
    return found


def test_a_module_is_the_apps() -> None:
    """It is found there, whoever else has it, too."""
    thing = Thing()
    KEPT.append([[thing]])
    assert whose(weakref.ref(thing)) == APP


def test_a_local_variable_is_the_tests() -> None:
    """By itself, in a list, or as a variable that an inner function has, too."""
    thing, listed, shared = Thing(), [Thing()], Thing()

    def function() -> object:
        return shared

    KEPT.append(function)
    assert whose(weakref.ref(thing)) == TEST
    assert whose(weakref.ref(listed[0])) == TEST
    assert whose(weakref.ref(shared)) == TEST


async def test_a_local_variable_of_an_async_test_is_the_tests() -> None:
    """Its frame belongs to a coroutine, which waits meanwhile."""
    thing = Thing()
    onlookers = Onlookers(sys._getframe())
    reference: weakref.ref[object] = weakref.ref(thing)
    found, _ = await asyncio.to_thread(onlookers.explain, [reference])
    assert found == TEST


def test_what_the_caller_of_a_helper_has_is_the_tests() -> None:
    """All frames that lead to the check are of the test."""
    thing = Thing()

    def helper() -> str:
        return whose(reference)

    reference: weakref.ref[object] = weakref.ref(thing)
    assert helper() == TEST


def test_a_captured_log_record_is_a_tools() -> None:
    """It is kept by pytest, and with it what was logged."""

    def log() -> "weakref.ref[object]":
        thing = Thing()
        logging.getLogger("tests.onlookers").warning("seen: %s", thing)
        return weakref.ref(thing)

    reference = log()
    assert reference() is not None, "pytest captures no log"
    assert whose(reference) == TOOL


def test_the_last_error_is_a_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter, and pytest, keep it in sys, with the variables of its frames."""

    def fail() -> "weakref.ref[object]":
        thing = Thing()
        try:
            [][len([thing])]
        except IndexError as error:
            monkeypatch.setattr(sys, "last_value", error, raising=False)
        return weakref.ref(thing)

    reference = fail()
    assert reference() is not None
    assert whose(reference) == TOOL


def test_a_function_of_a_module_is_not_the_tests() -> None:
    """Only what a test's own function shares with it is: a closure of the app's is the app's."""
    KEPT.append(closure())
    (reference,) = [weakref.ref(cell.cell_contents) for cell in KEPT[0].__closure__]  # type: ignore[attr-defined]
    assert whose(reference) == APP


def closure() -> object:
    thing = Thing()

    def function() -> object:
        return thing

    return function
