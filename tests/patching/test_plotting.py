"""Libraries that plot: whether they are what the patches were made for, and what else they do with their state."""

import warnings
from types import SimpleNamespace
from typing import Any, cast

import pytest

from solara_ctx.patching import plotting
from tests.support.kernels import StandInContext

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its traits are declared as they were long ago
    import bqplot.pyplot


def test_setting_the_context_of_bqplot(kernel: StandInContext) -> None:
    """In a kernel it is that kernel's, outside the process's; kernels still have their own afterwards."""
    before = bqplot.pyplot.get_context()
    other = StandInContext(kernel_id="another kernel")
    mine = {**before, "current_key": "mine"}
    kernel.run(bqplot.pyplot.set_context, mine)
    bqplot.pyplot.set_context({**before, "current_key": "the process's"})
    keys = [run(bqplot.pyplot.get_context)["current_key"] for run in (kernel.run, other.run, lambda look: look())]
    assert keys == ["mine", None, "the process's"]
    bqplot.pyplot.set_context(before)
    other.close()


def test_a_library_that_has_moved_on_is_refused() -> None:
    """Whatever it is that is no longer there; the stack of patches leaves it as it is then."""
    for patches, module in (
        (plotting.bqplot_patches, SimpleNamespace(_context={"figure": None})),
        (plotting.plotly_template_patches, SimpleNamespace(templates=SimpleNamespace())),
    ):
        with pytest.raises(AttributeError, match=r"context of bqplot|no attribute '_default'"):
            patches(cast("Any", module))
