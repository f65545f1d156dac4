"""A kernel with the patches in place, and a page of it."""

from collections.abc import Iterator

import pytest

from solara_ctx import current
from tests.support.kernels import Page, StandInContext, patched


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """No kernel is current before or after a test."""
    assert current.peek_handle() is None
    yield
    assert current.peek_handle() is None


@pytest.fixture
def kernel() -> Iterator[StandInContext]:
    """A kernel, closed at the end."""
    with patched():
        context = StandInContext()
        yield context
        context.close()


@pytest.fixture
def page(kernel: StandInContext) -> Page:
    """A connected page of the kernel."""
    return Page(kernel)
