"""A kernel with the patches in place."""

from collections.abc import Iterator

import pytest

from solara_ctx import current, patching
from tests.support.kernels import StandInContext, patched


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """No kernel is current and no patch is in place before or after a test."""
    assert current.peek_handle() is None
    assert patching.stack.applied == ()
    yield
    assert current.peek_handle() is None
    assert patching.stack.applied == ()


@pytest.fixture
def kernel() -> Iterator[StandInContext]:
    """A kernel, closed at the end."""
    with patched():
        context = StandInContext()
        yield context
        context.close()


@pytest.fixture
def other(kernel: StandInContext) -> Iterator[StandInContext]:
    """A second kernel."""
    context = StandInContext(kernel_id="another kernel")
    yield context
    context.close()
