"""Closed kernels are watched until they are gone, and those that stay are named."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from solara_ctx.leaks.tracker import LeakTracker, Surroundings
from tests.support.fakes import PATIENCE_S, FakeClock


class Thing:
    """A part of a kernel; `other` makes cycles."""

    other: "Thing | None" = None


class Closing:
    """A tracker in played surroundings: the clock is advanced by hand, background jobs wait until they are run.

    A collection frees what the test has put into `cycles`, as the real one would free it, in the collecting thread.
    """

    def __init__(
        self, *, zombie_after_s: float = 60.0, automatic: bool = True, collect: Callable[[], object] | None = None
    ) -> None:
        self.clock = FakeClock()
        self.jobs: list[Callable[[], None]] = []
        self.collections = 0
        self.seconds_of_a_collection = 0.0
        self.cycles: list[Thing] = []
        self.named: list[str] = []
        self.tracker = LeakTracker(
            zombie_after_s=zombie_after_s,
            on_zombie=self.named.append,
            collect=collect or self._collect,
            collects_automatically=lambda: automatic,
        )
        self.start()

    def start(self) -> None:
        """Begin, or begin anew."""
        self.tracker.start(
            Surroundings(clock=self.clock, in_background=self.jobs.append, on_loop=lambda call: call()),
        )

    def _collect(self) -> None:
        self.collections += 1
        for callback in gc.callbacks:
            callback("start", {})
        self.cycles.clear()
        for callback in gc.callbacks:
            callback("stop", {})

    def close(self, *parts: object, kernel: str = "abcdef…", reason: str = "page-closed") -> None:
        """A kernel of these parts is closed."""
        watch = self.tracker.watch(kernel, "session…", reason)
        for part in parts:
            watch.add(part)
        del part, parts
        watch.closed()

    def run_background(self) -> None:
        """Let the background thread do what it was given."""
        jobs, self.jobs[:] = list(self.jobs), []
        for job in jobs:
            job()

    def totals(self) -> tuple[int, int, int, int, int]:
        """Freed by reference counting, freed by the collector, watched, zombies, zombies that are gone."""
        stats = self.tracker.stats()
        return (stats.by_refcount_total, stats.by_gc_total, stats.watched, stats.zombies, stats.zombies_gone_total)


@pytest.fixture
def make_closing() -> Iterator[Callable[..., Closing]]:
    """Trackers that are stopped at the end, and have left nothing with the garbage collector then."""
    before = list(gc.callbacks)
    made: list[Closing] = []

    def make(**how: object) -> Closing:
        made.append(Closing(**how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for closing in made:
        closing.tracker.stop()
    assert gc.callbacks == before


@pytest.fixture
def closing(make_closing: Callable[..., Closing]) -> Closing:
    """The usual tracker."""
    return make_closing()


def test_what_is_gone_at_once_costs_nothing(closing: Closing) -> None:
    """No timer, no collection, no callback of the collector."""
    before = list(gc.callbacks)
    for _number in range(3):
        closing.close(Thing(), Thing())
    assert closing.totals() == (3, 0, 0, 0, 0)
    assert closing.clock.pending == []
    assert closing.jobs == []
    assert gc.callbacks == before


def test_what_dies_before_the_close_is_over_counts_too(closing: Closing) -> None:
    """Parts go one by one while the teardown is on its way."""
    watch = closing.tracker.watch("abcdef…", "session…", "culled")
    first, second = Thing(), Thing()
    watch.add(first)
    del first
    watch.add(second)
    assert closing.totals() == (0, 0, 0, 0, 0)
    watch.closed()
    assert closing.totals() == (0, 0, 1, 0, 0)
    del second
    assert closing.totals() == (1, 0, 0, 0, 0)


def test_what_nothing_can_refer_to_weakly_is_left_out(closing: Closing) -> None:
    """Numbers, texts, lists and None are no parts."""
    closing.close(None, 1, "text", [1], (1,))
    assert closing.totals() == (1, 0, 0, 0, 0)


def test_a_moment_later_one_collection_runs_for_all(closing: Closing) -> None:
    """What it frees was a cycle of the user's making."""
    closing.cycles += [Thing(), Thing()]
    for thing in closing.cycles:
        closing.close(thing)
    del thing
    closing.clock.advance(0.9)
    assert closing.jobs == []
    closing.clock.advance(0.1)
    assert len(closing.jobs) == 1
    closing.run_background()
    assert closing.totals() == (0, 2, 0, 0, 0)
    assert closing.collections == closing.tracker.stats().collections_total == 1


def test_what_goes_by_itself_in_the_meantime_needs_no_collection(closing: Closing) -> None:
    """A thread that ends half a second after the close had it, for example."""
    thing = Thing()
    closing.close(thing)
    closing.clock.advance(0.5)
    del thing
    closing.clock.advance(0.5)
    assert closing.jobs == []
    assert closing.totals() == (1, 0, 0, 0, 0)
    assert closing.clock.pending == []


def test_a_death_in_another_thread_is_not_the_collectors(closing: Closing) -> None:
    """While a collection runs, another thread may let go of something by itself."""
    things = [Thing()]
    closing.close(things[0])
    for callback in gc.callbacks:
        callback("start", {})
    thread = threading.Thread(target=things.clear)
    thread.start()
    thread.join(PATIENCE_S)
    for callback in gc.callbacks:
        callback("stop", {})
    assert closing.totals() == (1, 0, 0, 0, 0)


def test_collections_are_rare(closing: Closing) -> None:
    """Whoever needs one soon after another has to wait, and nobody asks twice for the same kernel."""
    kept = Thing()
    closing.close(kept)
    closing.clock.advance(1.0)
    closing.run_background()
    closing.clock.advance(1.0)
    second = Thing()
    closing.close(second, kernel="second…")
    closing.clock.advance(8.9)
    assert closing.jobs == []
    closing.clock.advance(0.1)
    closing.run_background()
    assert closing.collections == 2
    closing.clock.advance(40.0)
    assert closing.jobs == []


@pytest.mark.parametrize(("seconds", "pause"), [(0.05, 10.0), (0.5, 50.0), (7.0, 600.0)])
def test_long_collections_are_rarer(
    make_closing: Callable[..., Closing], monkeypatch: pytest.MonkeyPatch, seconds: float, pause: float
) -> None:
    """They take no more than a hundredth of the time, as long as no zombie has to wait ten times its time for that."""
    closing = make_closing(zombie_after_s=60.0)
    times = iter([0.0, seconds])
    monkeypatch.setattr("solara_ctx.leaks.tracker.time.perf_counter", lambda: next(times))
    first, second = Thing(), Thing()
    closing.close(first)
    closing.clock.advance(1.0)
    closing.run_background()
    closing.close(second)
    closing.clock.advance(pause - 0.1)
    assert closing.jobs == []
    closing.clock.advance(0.1)
    assert len(closing.jobs) == 1


def test_where_nobody_wants_collections_there_are_none(make_closing: Callable[..., Closing]) -> None:
    """A process that has switched them off does not want the pauses."""
    closing = make_closing(automatic=False)
    thing = Thing()
    closing.close(thing)
    closing.clock.advance(60.0)
    assert closing.collections == 0
    assert closing.jobs == []
    assert closing.totals() == (0, 0, 0, 1, 0)


def test_what_stays_is_a_zombie(closing: Closing, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, with what is left and how to ask, and listed until it is gone after all."""
    kept = [Thing(), Thing()]
    closing.close(*kept, closing)
    closing.clock.advance(1.0)
    closing.run_background()
    closing.clock.advance(58.9)
    assert closing.totals() == (0, 0, 1, 0, 0)
    with caplog.at_level(logging.WARNING):
        closing.clock.advance(0.1)
    assert closing.totals() == (0, 0, 0, 1, 0)
    assert closing.named == ["abcdef…"]
    (message,) = caplog.messages
    assert "kernel abcdef… was closed 60 s ago (page-closed) and is not gone" in message
    assert "keeps Thing x2, Closing" in message
    assert "/resourcez?why=abcdef," in message
    closing.clock.advance(40.0)
    (zombie,) = closing.tracker.zombies()
    assert (zombie.id, zombie.session, zombie.reason, zombie.age_seconds) == (
        "abcdef…",
        "session…",
        "page-closed",
        100.0,
    )
    assert zombie.alive == {"Thing": 2, "Closing": 1}
    assert zombie.held_by is None
    closing.tracker.note_holder("abcdef", "a list")
    assert closing.tracker.zombies()[0].held_by == "a list"
    assert closing.clock.pending == []
    kept.clear()
    assert closing.tracker.zombies()[0].alive == {"Closing": 1}


def test_a_zombie_may_go_after_all(closing: Closing) -> None:
    """It is counted as what it was."""
    kept = [Thing()]
    closing.close(kept[0])
    closing.clock.advance(1.0)
    closing.run_background()
    closing.clock.advance(60.0)
    assert closing.totals() == (0, 0, 0, 1, 0)
    kept.clear()
    assert closing.totals() == (0, 0, 0, 0, 1)
    assert closing.tracker.zombies() == []


def test_nothing_is_called_a_zombie_before_a_collection_has_had_its_chance(closing: Closing) -> None:
    """The background thread may be late."""
    kept = Thing()
    closing.close(kept)
    closing.clock.advance(100.0)
    assert closing.totals() == (0, 0, 1, 0, 0)
    closing.run_background()
    assert closing.totals() == (0, 0, 0, 1, 0)


def test_a_short_zombie_time_shortens_all_the_rest(make_closing: Callable[..., Closing]) -> None:
    """As in a test, or in a check of an app."""
    closing = make_closing(zombie_after_s=0.4)
    kept = Thing()
    closing.close(kept)
    closing.clock.advance(0.1)
    closing.run_background()
    assert closing.collections == 1
    closing.clock.advance(0.3)
    assert closing.totals() == (0, 0, 0, 1, 0)


def test_living_parts_can_be_asked_for_by_what_is_shown(closing: Closing) -> None:
    """With or without the ellipsis, or all at once; and nothing is kept by the answer."""
    one, other = Thing(), Thing()
    closing.close(one, kernel="aaaaaa…")
    closing.close(other, kernel="bbbbbb…")
    assert [part() for part in closing.tracker.living("aaaaaa")] == [one]
    assert [part() for part in closing.tracker.living("bbbbbb…")] == [other]
    assert [part() for part in closing.tracker.living("bbbbbb-and-the-rest-of-it")] == [other]
    assert closing.tracker.living("cccccc") == []
    assert closing.tracker.living("") == []
    assert len(closing.tracker.living()) == 2
    gone = weakref.ref(one)
    del one
    assert gone() is None


def test_only_so_many_zombies_are_listed(closing: Closing) -> None:
    """A server with thousands still answers."""
    kept = [Thing() for _number in range(150)]
    for thing in kept:
        closing.close(thing)
    closing.clock.advance(1.0)
    closing.run_background()
    closing.clock.advance(60.0)
    assert len(closing.tracker.zombies()) == 100
    assert closing.tracker.stats().zombies == 150


def test_the_service_may_stop_at_any_time(closing: Closing) -> None:
    """Its timers go; a collection that is under way is nobody's business any more; the next start looks again."""
    kept = [Thing()]
    closing.close(kept[0])
    closing.clock.advance(1.0)
    closing.tracker.stop()
    assert closing.clock.pending == []
    closing.run_background()
    assert closing.totals() == (0, 0, 1, 0, 0)
    closing.close(Thing(), kernel="late…")
    assert closing.totals() == (1, 0, 1, 0, 0)
    closing.start()
    closing.run_background()
    closing.clock.advance(60.0)
    closing.run_background()
    assert closing.totals() == (1, 0, 0, 1, 0)
    kept.clear()
    assert closing.totals() == (1, 0, 0, 0, 1)


def test_a_watch_is_no_cycle(closing: Closing) -> None:
    """The tracker's own bookkeeping dies by reference counting."""
    gc.disable()
    try:
        kept = [Thing()]
        watch = closing.tracker.watch("abcdef…", "session…", "culled")
        watch.add(kept[0])
        gone = weakref.ref(watch)
        watch.closed()
        del watch
        assert gone() is not None
        kept.clear()
        closing.tracker.stats()
        assert gone() is None
    finally:
        gc.enable()


def test_the_real_collector_is_told_from_reference_counting(make_closing: Callable[..., Closing]) -> None:
    """With a real cycle, in a real collection."""
    closing = make_closing(collect=gc.collect)
    one, other = Thing(), Thing()
    one.other, other.other = other, one
    closing.close(one)
    del one, other
    closing.clock.advance(1.0)
    closing.run_background()
    assert closing.totals() == (0, 1, 0, 0, 0)
