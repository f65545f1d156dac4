"""What explain promises to the process that it looks at: bounds, no user code, nothing left behind, no ids shown."""

import gc
import logging
import secrets
import sys
import threading
import time
import types
import uuid
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from solara_ctx.leaks import explain as module
from solara_ctx.leaks.explain import explain
from solara_ctx.leaks.peek import type_name
from tests.support.fakes import PATIENCE_S

KEPT: list[object] = []
HOLDERS: dict[str, object] = {}


class Label:
    """What should be gone."""


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    yield
    KEPT.clear()
    HOLDERS.clear()


def planted(hold: Callable[[Label], object]) -> "weakref.ref[object]":
    """A label that nobody has but whoever *hold* has given it to."""
    label = Label()
    hold(label)
    return weakref.ref(label)


class Hostile(dict[object, object]):
    """Fails whoever lets it run any of its code."""

    calls: "list[str]" = []  # noqa: RUF012 -- as users write it

    def __init__(self, label: object) -> None:
        super().__init__()
        dict.__setitem__(self, "label", label)


def _trap(name: str) -> Callable[..., object]:
    def trap(*_: object, **__: object) -> object:
        Hostile.calls.append(name)
        raise AssertionError(name)

    return trap


TRAPS = [
    "__repr__",
    "__str__",
    "__hash__",
    "__eq__",
    "__ne__",
    "__lt__",
    "__getattr__",
    "__getattribute__",
    "__len__",
    "__iter__",
    "__contains__",
    "__getitem__",
    "__bool__",
    "__format__",
    "__dir__",
    "__sizeof__",
    "__reduce__",
    "__call__",
    "__enter__",
    "__get__",
    "keys",
    "values",
    "items",
    "get",
]


def hostile(base: type, *, slots: tuple[str, ...] | None = None) -> type:
    """A class derived from a builtin one whose every method is a trap."""
    own: dict[str, object] = {name: _trap(name) for name in TRAPS}
    own["__class__"] = property(_trap("__class__"))
    own["__dict__" if slots is None else "__doc__"] = property(_trap("__dict__"))
    if slots is not None:
        own["__slots__"] = slots
    meta = type("Meta", (type,), {name: _trap(f"class {name}") for name in ("__repr__", "__getattribute__", "__eq__")})
    meta.__hash__ = type.__hash__  # type: ignore[method-assign, assignment]  # the test itself keeps classes in sets
    return types.new_class("Trapped", (base,), {"metaclass": meta}, lambda namespace: namespace.update(own))


@pytest.mark.parametrize("base", [object, dict, list, set, Exception, threading.local])
def test_no_code_of_users_runs(base: type) -> None:
    """Holders and targets whose every method fails are explained without one of them being called."""
    cls = hostile(base)
    Hostile.calls.clear()

    def hold(label: Label) -> None:
        holder: Any = cast("Any", base).__new__(cls)
        if base is dict:
            dict.__setitem__(holder, "x", label)
        elif base is list:
            list.append(holder, label)
        elif base is set:
            set.add(holder, label)
        elif base is Exception:
            Exception.__init__(holder, label)
        else:
            cast("Any", base).__setattr__(holder, "label", label)
        KEPT.append({"x": (holder,)})

    reference = planted(hold)
    found = explain([reference])
    assert Hostile.calls == []
    assert found.found
    assert "module variable KEPT -> list[0] -> dict['x'] -> tuple[0] -> " in found.text()
    assert found.text().endswith("-> Label")


def test_no_code_of_users_runs_for_keys_and_targets() -> None:
    """Nor that of a key beside the holder, and of the target itself."""
    cls = hostile(object)
    Hostile.calls.clear()
    meta_free: Any = object.__new__(cls)

    class Key:
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            raise AssertionError

    KEPT.append({Key(): 1, 7: {"x": [meta_free]}})
    reference = weakref.ref(meta_free)
    del meta_free
    found = explain([reference])
    assert Hostile.calls == []
    assert found.text().endswith("module variable KEPT -> list[0] -> dict[7] -> dict['x'] -> list[0] -> Trapped")


def test_nothing_is_pinned_afterwards() -> None:
    """The object dies with its holder after an explanation, without a collection; whatever the way it was found by."""
    gc.disable()
    try:
        for hold in (
            KEPT.append,
            lambda label: HOLDERS.update(x=[{"y": label}]),
            lambda label: HOLDERS.update(x=lambda: label),
        ):
            reference = planted(hold)
            found = explain([reference])
            assert found.found
            assert reference() is not None
            KEPT.clear()
            HOLDERS.clear()
            assert reference() is None
            assert found.text().endswith("Label")
    finally:
        gc.enable()


def test_a_local_variable_is_not_pinned() -> None:
    """Before Python 3.13 looking at a frame's variables leaves a copy of them there: not after explain has looked."""
    gc.disable()
    try:
        label: Label | None = Label()
        reference: weakref.ref[object] = weakref.ref(label)
        assert ", local variable label -> Label" in explain([reference]).text()
        label = None
        assert reference() is None
    finally:
        gc.enable()
    assert label is None


def test_a_local_variable_of_another_thread_is_not_pinned() -> None:
    """Nor in the frame of another thread, which goes on after explain has looked."""
    looked, dropped, end = threading.Event(), threading.Event(), threading.Event()
    references: list[weakref.ref[object]] = []
    ready = threading.Event()

    def work() -> None:
        label: Label | None = Label()
        references.append(weakref.ref(label))
        ready.set()
        looked.wait(PATIENCE_S)
        label = None
        dropped.set()
        end.wait(PATIENCE_S)
        assert label is None

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(PATIENCE_S)
    found = explain(references)
    looked.set()
    assert dropped.wait(PATIENCE_S)
    alive = references[0]() is not None
    end.set()
    thread.join()
    assert ", local variable label -> Label" in found.text()
    assert not alive


def test_locals_that_somebody_else_uses_stay() -> None:
    """A function's own `locals()` is left as it is."""
    label = Label()
    mine = locals()
    found = explain([weakref.ref(label)])
    assert found.found
    assert mine["label"] is label


def test_ten_explanations_leave_nothing() -> None:
    """No object more after ten explanations than after one, with the collection off."""
    reference = planted(KEPT.append)

    def count() -> Counter[str]:
        return Counter([type_name(thing) for thing in gc.get_objects()])

    gc.disable()
    try:
        texts = {explain([reference]).text() for _ in range(2)}
        count()  # fills caches of its own
        before = count()
        for _ in range(10):
            texts.add(explain([reference]).text())
        grown = count() - before
    finally:
        gc.enable()
    assert len(texts) == 1
    assert sum(grown.values()) <= 3  # the counter, and what the test itself has


def test_failed_search_leaves_nothing_either() -> None:
    """An object that was not explained in time is not kept for it."""
    gc.disable()
    try:
        reference = planted(KEPT.append)
        assert not explain([reference], budget_s=0.0).found
        assert not explain([reference], max_objects=0).found
        KEPT.clear()
        assert reference() is None
    finally:
        gc.enable()


def test_out_of_time() -> None:
    """With no time left, it says so, and how far it came."""
    reference = planted(lambda label: KEPT.append([[label]]))
    found = explain([reference], budget_s=0.0)
    assert not found.found
    assert found.root == ""
    assert found.target == "Label"
    assert found.text().endswith("seconds (budget_s)")
    assert found.links[-1].text == "Label"


def test_out_of_memory() -> None:
    """With more objects to remember than allowed, it says so; backwards and onwards."""
    reference = planted(lambda label: KEPT.append([[label]]))
    found = explain([reference], max_objects=1)
    assert not found.found
    assert found.text().endswith("gave up after 1 objects (max_objects)")
    gc.freeze()
    try:
        found = explain([reference], max_objects=10)
    finally:
        gc.unfreeze()
    assert not found.found
    assert found.note == "gave up after 10 objects (max_objects)"


def test_budget_of_a_large_search() -> None:
    """A search among many objects ends when its time is over."""
    reference = planted(lambda label: KEPT.append([[[label]]]))
    many = [[number] for number in range(200_000)]
    KEPT.append(many)
    gc.freeze()
    began = time.monotonic()
    try:
        found = explain([reference], budget_s=0.01)
    finally:
        gc.unfreeze()
    assert time.monotonic() - began < PATIENCE_S
    assert not found.found
    assert "(budget_s)" in found.note


def test_one_search_at_a_time() -> None:
    """A second search waits for the first, and no longer than its own time."""
    reference = planted(KEPT.append)
    with module._searching:
        found = explain([reference], budget_s=0.01)
    assert not found.found
    assert found.note == "another search took longer than 0.01 seconds"
    assert explain([reference]).found


@pytest.mark.parametrize("token", [uuid.uuid4().hex, str(uuid.uuid4()), secrets.token_urlsafe(32)])
def test_ids_are_shortened(token: str) -> None:
    """Ids of kernels and sessions don't reach an answer: as keys, in names of threads and loggers, as attributes."""

    class Holder:
        pass

    def hold(label: Label) -> None:
        holder = Holder()
        setattr(holder, f"a{token}1", label)
        KEPT.append({token: {(token, 1): {token.encode(): [holder]}}})

    found = explain([planted(hold)])
    shown = found.text() + found.dot() + found.svg()
    assert token not in shown
    assert token[:20] not in shown
    assert f"dict['{token[:6]}…']" in found.text()

    reference = planted(lambda label: setattr(logging.getLogger(f"tests.{token}"), "label", label))
    text = explain([reference]).text()
    del logging.getLogger(f"tests.{token}").label  # type: ignore[attr-defined]
    assert text == f"logger 'tests.{token[:6]}…', label -> Label"


def test_while_other_threads_change_everything() -> None:
    """It finds the holder while other threads make and drop objects, change dicts, and come and go."""
    end = threading.Event()
    shared: dict[object, object] = {}
    HOLDERS["shared"] = shared
    failures: list[BaseException] = []

    def churn(number: int) -> None:
        try:
            while not end.is_set():
                for step in range(200):
                    shared[number, step] = [Label(), {"x": step}]
                for step in range(200):
                    del shared[number, step]
                threading.Thread(target=list).start()
        except BaseException as error:  # noqa: BLE001 -- reported by the test
            failures.append(error)

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    reference = planted(lambda label: shared.update(steady={"deep": [label]}))
    try:
        found = [explain([reference], budget_s=PATIENCE_S) for _ in range(5)]
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert failures == []
    # The other threads' frames have the dict, too.
    assert {each.text().partition("dict['steady']")[2] for each in found} == {" -> dict['deep'] -> list[0] -> Label"}
    shared.clear()
    assert reference() is None


def test_from_another_thread() -> None:
    """The answer is the same from a worker thread, and that thread's own frames are no holders."""
    reference = planted(KEPT.append)
    texts: list[str] = []
    thread = threading.Thread(target=lambda: texts.append(explain([reference]).text()))
    thread.start()
    thread.join()
    assert texts == [explain([reference]).text()]


def test_no_time_to_lose_for_others() -> None:
    """Another thread gets its turn often while a search goes through many objects."""
    KEPT.append([[number] for number in range(200_000)])
    reference = planted(lambda label: KEPT.append([[label]]))
    turns = 0
    end = threading.Event()

    def count() -> None:
        nonlocal turns
        while not end.is_set():
            turns += 1
            end.wait(sys.getswitchinterval() / 5)

    thread = threading.Thread(target=count)
    thread.start()
    gc.freeze()
    try:
        assert explain([reference], budget_s=PATIENCE_S).found
    finally:
        gc.unfreeze()
        end.set()
        thread.join()
    assert turns > 5
