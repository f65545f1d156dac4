"""The ipykernel kernel: what kernel code finds on it."""

import contextvars
import warnings
from typing import Any

import pytest
from ipykernel.kernelbase import Kernel
from IPython.core.error import StdinNotImplementedError

from solara_ctx.jupyter.kernel import HostedKernel
from solara_ctx.jupyter.session import IOPUB
from tests.support.kernels import Page, StandInContext


def test_it_is_an_ipykernel_kernel(kernel: StandInContext) -> None:
    """With session, comm manager and shell where libraries look for them."""
    hosted = kernel.living_host.kernel
    assert isinstance(hosted, Kernel)
    assert hosted.session is kernel.living_host.session
    assert hosted.comm_manager is kernel.living_host.comm_manager
    assert hosted.shell is kernel.living_host.shell


def test_it_has_what_upstreams_constructor_makes(kernel: StandInContext) -> None:
    """A library that looks for a private attribute finds it; only the lock of upstream's message loop is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an unsigned session
        upstream = contextvars.Context().run(Kernel)
    hosted = kernel.living_host.kernel
    missing = {name for name in vars(upstream) if not hasattr(hosted, name)}
    assert missing <= {"_main_asyncio_lock"}
    assert hosted.iopub_socket is IOPUB


def test_two_kernels_share_no_table(kernel: StandInContext) -> None:
    """What is made once per process stays empty."""
    assert (hasattr(kernel.living_host.kernel, "session"), HostedKernel.shell_handlers) == (True, {})
    assert HostedKernel.control_handlers == {}


def test_a_closed_kernel_has_nothing(kernel: StandInContext) -> None:
    """What somebody has kept of it is an empty shell."""
    hosted = kernel.living_host.kernel
    kernel.close()
    assert (hosted.session, hosted.comm_manager, hosted.shell) == (None, None, None)
    assert hosted.send_response(hosted.iopub_socket, "stream", {}) is None


def test_libraries_send_through_it(kernel: StandInContext) -> None:
    """`send_response` on the iopub socket reaches the pages, with the parent that is being handled."""
    page = Page(kernel)

    def send() -> None:
        hosted = kernel.living_host.kernel
        hosted.set_parent([], {"header": {"msg_id": "mine"}})
        assert hosted.get_parent() == {"header": {"msg_id": "mine"}}
        hosted.send_response(hosted.iopub_socket, "stream", {"name": "stdout", "text": "x"})
        hosted.set_parent([], {})

    kernel.run(send)
    (message,) = page.heard()
    assert (message["content"]["text"], message["parent_header"]) == ("x", {"msg_id": "mine"})
    assert kernel.living_host.kernel.get_parent() == {}


def test_nobody_can_be_asked_for_input(kernel: StandInContext) -> None:
    """A page has no prompt; ipykernel's own way of asking says so."""
    with pytest.raises(StdinNotImplementedError):
        kernel.living_host.kernel.raw_input("name?")


def test_making_one_leaves_no_context_variables() -> None:
    """Ipykernel's ContextVars, two per kernel, are set in a context of their own."""

    def made() -> tuple[set[str], Any]:
        context = StandInContext()
        return {variable.name for variable in contextvars.copy_context()}, context

    with warnings.catch_warnings():
        names, _context = contextvars.Context().run(made)
    assert names <= {"solara_ctx.current"}


def test_a_shell_leaves_no_context_variables(kernel: StandInContext) -> None:
    """Nor does a shell, whose constructor sets three."""

    def names() -> set[str]:
        assert kernel.living_host.shell is not None
        return {variable.name for variable in contextvars.copy_context()}

    assert {name for name in kernel.run(names) if not name.startswith("solara_ctx.")} == set()
