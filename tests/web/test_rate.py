"""How fast somebody may go on."""

import pytest

from solara_ctx.web.rate import RateLimit, RateLimits


def allowed(limit: RateLimit, times: list[float]) -> list[bool]:
    return [limit.allows(now) for now in times]


def test_a_burst_is_let_through_and_what_exceeds_it_is_not() -> None:
    """Two seconds' worth at once, and then no faster than the rate."""
    limit = RateLimit(1000, now=100.0)
    assert allowed(limit, [100.0] * 2001) == [True] * 2000 + [False]
    assert allowed(limit, [100.0009, 100.0011, 100.0012]) == [False, True, False]


def test_a_small_rate_leaves_room_for_what_a_page_has_kept() -> None:
    """It would be cut off for coming back, and again."""
    assert allowed(RateLimit(1, now=0.0), [0.0] * 301) == [True] * 300 + [False]


@pytest.mark.parametrize(("per_s", "kept_up"), [(9.9, True), (10.0, True), (10.5, False)])
def test_whoever_keeps_to_the_rate_goes_on_for_ever(per_s: float, kept_up: bool) -> None:
    """At the rate and below it; a little above it, not."""
    limit = RateLimit(10, now=0.0)
    assert all(allowed(limit, [number / per_s for number in range(1, 20_000)])) is kept_up


def test_a_pause_gives_back_no_more_than_the_burst() -> None:
    """However long it was."""
    limit = RateLimit(1000, now=0.0)
    allowed(limit, [0.0] * 2001)
    assert allowed(limit, [1000.0] * 2001) == [True] * 2000 + [False]


def test_without_a_rate_everything_is_let_through() -> None:
    """None, and nought."""
    for per_s in (None, 0):
        assert all(allowed(RateLimit(per_s, now=0.0), [0.0] * 10_000))


def test_each_name_has_a_bucket_of_its_own() -> None:
    """One who is too fast holds nobody else up."""
    limits = RateLimits(1)
    assert [limits.allows("fast", 0.0) for _ in range(301)] == [True] * 300 + [False]
    assert limits.allows("other", 0.0)
    assert [limits.allows("fast", 1.0) for _ in range(2)] == [True, False]


def test_a_full_bucket_is_forgotten() -> None:
    """Nothing is kept of a name whose bucket is like a new one; of one that is too fast, something is."""
    limits = RateLimits(100)
    for _ in range(300):
        limits.allows("fast", 0.0)
    limits.allows("once", 2.0)
    limits.allows("again", 2.005)
    assert len(limits) == 3
    limits.allows("again", 2.9)
    assert len(limits) == 3, "the one that was asked for longest ago is not full yet"
    limits.allows("again", 3.1)
    assert len(limits) == 1
    assert [limits.allows("fast", 3.1) for _ in range(301)][-1] is False


@pytest.mark.parametrize("others", [4, 5, 50])
def test_no_more_are_remembered_than_that(others: int) -> None:
    """Those that were asked for longest ago are forgotten first."""
    limits = RateLimits(1, most=5)
    assert not all(limits.allows("fast", 0.0) for _ in range(301))
    for number in range(others):
        limits.allows(f"other-{number}", 0.0)
    assert len(limits) == 5
    assert limits.allows("fast", 0.0) is (others > 4)


@pytest.mark.parametrize("per_s", [None, 0])
def test_without_a_rate_nobody_is_remembered(per_s: float | None) -> None:
    """None, and nought."""
    limits = RateLimits(per_s)
    assert all(limits.allows("fast", 0.0) for _ in range(1000))
    assert len(limits) == 0
