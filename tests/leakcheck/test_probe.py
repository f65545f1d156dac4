"""The answers to the checker's questions.  Time, event loops and the search for holders are played here."""

from collections.abc import Callable, Collection, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from solara_ctx.errors import KernelContextError
from solara_ctx.leakcheck import probe
from solara_ctx.leakcheck.copies import NoCopy
from solara_ctx.leakcheck.messages import Diagnosis, Kernels
from solara_ctx.leakcheck.probe import Probe
from solara_ctx.leaks.census import Census
from solara_ctx.leaks.growth import Grower
from tests.support.leakcheck import explanation


class App:
    """A `KernelApp` whose kernels are these, one after the other each time that it is asked, and then the last."""

    def __init__(self, *states: Kernels, kernels: Sequence[str] = (), is_started: bool = True) -> None:
        self.registry = self.leaks = self
        self.living_parts: dict[str, list[str]] = {}
        self._states, self._now = list(states), Kernels()
        self._kernels, self._is_started = kernels, is_started

    def __iter__(self) -> Iterator[str]:
        return iter(self._kernels)

    @property
    def loop(self) -> "App":
        if not self._is_started:
            raise KernelContextError("not started")
        return self

    def call_soon_threadsafe(self, call: Callable[[], object]) -> None:
        if self._states:
            self._now = self._states.pop(0)
        call()

    def stats(self) -> object:
        """Of the registry and of the tracker."""
        now = self._now
        return SimpleNamespace(
            started_total=now.started,
            total=now.open,
            abandoned_steps_total=now.abandoned_steps,
            by_refcount_total=now.by_refcount,
            by_gc_total=now.by_gc,
            watched=now.kept // 2,
            zombies=now.kept - now.kept // 2,
        )

    def worker_stats(self) -> object:
        return SimpleNamespace(busy=self._now.busy // 2, queued=self._now.busy - self._now.busy // 2)

    def living(self, kernel: str) -> list[str]:
        return self.living_parts.get(kernel, [])


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(probe, "time", clock)
    return clock


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The collections of garbage."""
    done: list[str] = []
    monkeypatch.setattr(probe, "gc", SimpleNamespace(collect=lambda: done.append("collect")))
    return done


def of(*apps: App) -> Probe:
    return Probe(cast("Any", apps))


def test_the_kernels_of_all_apps_are_counted_together() -> None:
    """An app that nobody has visited yet has none."""
    numbers = Kernels(started=9, open=2, busy=3, by_refcount=4, by_gc=5, kept=7, abandoned_steps=1)
    assert of(App(numbers), App(is_started=False), App(Kernels(open=1, kept=1))).kernels() == Kernels(
        started=9, open=3, busy=3, by_refcount=4, by_gc=5, kept=8, abandoned_steps=1
    )


def test_an_error_on_the_event_loop_is_told_to_who_asked() -> None:
    """It is not lost in the loop's log."""
    app = App()
    app.stats = lambda: 1 // 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        of(app).kernels()


def test_garbage_is_collected_when_all_kernels_are_closed(clock: Clock, collections: list[str]) -> None:
    """And those that are on their way out are gone."""
    app = App(*[Kernels(open=2), Kernels(open=1), Kernels(kept=2)], *[Kernels(kept=2)] * 3, Kernels(kept=1), Kernels())
    assert of(app).settle(10) == Kernels()
    assert collections == ["collect", "collect"]
    assert clock.now < 1


def test_what_stays_is_not_waited_for_without_end(clock: Clock, collections: list[str]) -> None:
    """A moment, before and after the collection; another one whenever some have gone."""
    assert of(App(Kernels(kept=3))).settle(10) == Kernels(kept=3)
    assert collections
    assert 2 * probe._MOMENT_S <= clock.now < 3 * probe._MOMENT_S


def test_kernels_that_do_not_close_are_told_in_time(clock: Clock, collections: list[str]) -> None:
    """Nothing is collected then: there is nothing to measure."""
    assert of(App(Kernels(open=1))).settle(5).open == 1
    assert 5 < clock.now < 6
    assert collections == []


def test_open_kernels_are_at_rest_when_no_job_runs(clock: Clock, collections: list[str]) -> None:
    """Or when it has taken too long."""
    assert of(App(Kernels(open=1, busy=2), Kernels(open=1))).rest(5) == Kernels(open=1)
    assert of(App(Kernels(open=1, busy=2))).rest(5).busy == 2
    assert clock.now > 5
    assert collections == ["collect"] * 4


def test_what_holds_kernels_is_told_once_per_holder(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the kernels that were there when all was at rest; what holds most of them comes first."""
    app = App(kernels=["a", "b", "c", "d", "e"])
    app.living_parts = {each: [each] for each in "abcdx"}
    told = {
        "a": explanation(("held from C", None, None)),
        "b": explanation(("module variable KEPT", "/srv/app.py", 3), ("dict['b']", None, None)),
        "c": explanation(("module variable KEPT", "/srv/app.py", 3), ("dict['c']", None, None)),
        "d": explanation(("module variable KEPT", "/srv/app.py", 4), ("dict['d']", None, None)),
    }
    monkeypatch.setattr(probe, "explain", lambda references: told[references[0]])
    asked = of(app)
    assert asked.chains() == []
    assert asked.idle(5)
    chains = asked.chains()
    assert [(chain.explanation, chain.count, chain.of) for chain in chains] == [
        (told["b"], 2, 5),
        (told["a"], 1, 5),
        (told["d"], 1, 5),
    ]


def test_the_search_for_what_holds_kernels_ends(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what was found until then."""

    def explain(_references: object) -> object:
        clock.sleep(probe._CHAINS_S)
        return explanation(("held from C", None, None))

    app = App(kernels=["a", "b"])
    app.living_parts = {"a": ["a"], "b": ["b"]}
    monkeypatch.setattr(probe, "explain", explain)
    asked = of(app)
    asked.idle(5)
    assert [(chain.count, chain.of) for chain in asked.chains()] == [(1, 2)]


def test_an_app_that_is_never_at_rest_is_told_so(clock: Clock) -> None:
    """After the time that it was given."""
    assert not of(App(Kernels(busy=1))).idle(5)


def test_a_census_is_taken_in_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the threads, of which a copy has none; and here, where there can be no copy."""
    taken = Census()
    monkeypatch.setattr(Census, "take", lambda: taken)
    monkeypatch.setattr(probe, "in_a_copy", lambda function, timeout_s: function())
    assert of().census() is taken
    assert set(taken.counts) == {"threads", "atexit callbacks"}
    assert taken.counts["threads"] >= 1

    def fail(_function: object, timeout_s: float) -> object:
        raise NoCopy

    taken.counts = {}
    monkeypatch.setattr(probe, "in_a_copy", fail)
    assert of().census() is taken
    assert taken.counts == {}


def test_what_grows_is_told_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is one."""
    found = explanation(("module variable KEPT", "/srv/app.py", 3))
    growing = {"sizes": (1, 2, 3), "per_step": 1.0, "bound": None, "newest": ""}
    asked: list[object] = []

    def growers(censuses: Sequence[Census], *, per: int, ignore: Sequence[str]) -> list[Grower]:
        asked.extend((list(censuses), per, ignore))
        return [
            Grower(what="list", kind="container", explanation=found, **cast("Any", growing)),
            Grower(what="threads", kind="count", explanation=None, **cast("Any", growing)),
            Grower(what="set", kind="container", explanation=explanation(("C", None, None)), **cast("Any", growing)),
        ]

    monkeypatch.setattr(probe, "growers", growers)
    told = of().growth([], 7)
    assert asked == [[], 7, ("coverage.",)]
    assert [(each.what, each.file, each.line) for each in told] == [
        ("list", "/srv/app.py", 3),
        ("threads", None, None),
        ("set", None, None),
    ]


def test_what_was_traced_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted from where it was asked for; nothing where nobody has begun to trace."""

    class Tracing:
        begun = 0

        def begin(self) -> None:
            self.begun += 1

        def stop(self, growing: Collection[int]) -> Diagnosis:
            return Diagnosis(size=self.begun + len(growing))

    monkeypatch.setattr(probe, "Tracing", Tracing)
    asked = of()
    asked.count_from_here()
    assert asked.traced() == Diagnosis()
    asked.trace()
    asked.count_from_here()
    assert asked.traced() == Diagnosis(size=1)
    assert asked.traced() == Diagnosis()


def test_what_has_grown_is_asked_for_when_it_was_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its address; and where somebody else traces, nothing is."""
    growing = {"sizes": (1, 2, 3), "per_step": 1.0, "bound": None, "newest": "", "explanation": None}
    found = Grower(what="list", kind="container", address=42, **cast("Any", growing))
    monkeypatch.setattr(probe, "growers", lambda *_, **__: [found])
    asked_for: list[object] = []

    class Tracing:
        def stop(self, growing: Collection[int]) -> Diagnosis:
            asked_for.extend(growing)
            return Diagnosis(size=1)

    monkeypatch.setattr(probe, "Tracing", Tracing)
    asked = of()
    (told,) = asked.growth([], 1)
    assert told.address == 42
    asked.trace()
    asked.traced()
    assert asked_for == [42]
    monkeypatch.setattr(probe, "can_trace", lambda: False)
    asked.trace()
    assert asked.traced() == Diagnosis()
