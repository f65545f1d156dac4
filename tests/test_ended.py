"""Why kernels have ended, for pages that come back to one."""

import pytest

from solara_ctx.ended import EndedKernels


def test_the_reason_is_remembered() -> None:
    """A page that comes back learns why; of an unknown kernel nothing is known."""
    ended = EndedKernels(at_least_s=60)
    ended.remember("a", "culled", 0.0)
    assert ended.reason("a") == "culled"
    assert ended.reason("b") is None


@pytest.mark.parametrize(("now", "remembered"), [(59.0, 3), (60.0, 3), (61.0, 2)])
def test_the_oldest_are_forgotten_but_not_too_early(
    monkeypatch: pytest.MonkeyPatch, now: float, remembered: int
) -> None:
    """An id that could still start a kernel is never forgotten: below, at and above that time."""
    monkeypatch.setattr("solara_ctx.ended._REMEMBERED", 2)
    ended = EndedKernels(at_least_s=60)
    ended.remember("a", "culled", 0.0)
    ended.remember("b", "culled", now)
    ended.remember("c", "culled", now)
    assert len(ended) == remembered
    assert ended.reason("c") == "culled"
    assert (ended.reason("a") is None) is (remembered == 2)
