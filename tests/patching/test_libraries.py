"""comm, ipywidgets, IPython and ipykernel, per kernel; and whether upstream still is what the patches were made for."""

import atexit
import inspect
import subprocess
import sys
import threading
from typing import Any

import comm
import ipykernel.comm.comm
import ipykernel.ipkernel
import ipywidgets as widgets
import pytest
from comm.base_comm import BaseComm
from ipykernel.kernelbase import Kernel
from IPython import get_ipython
from IPython.core import interactiveshell
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magics import script
from ipywidgets import Output, Widget
from ipywidgets.widgets import widget as widget_module

from solara_ctx import ContextClosed, current, patching
from solara_ctx.jupyter.comms import KernelComm
from tests.support.kernels import Page, StandInContext, patched


def test_importing_patches_nothing() -> None:
    """A process that has imported the library and started no service is as it was."""
    script = (
        "import ipykernel.ipkernel, comm, threading, sys, ipywidgets.widgets.widget as w\n"
        "def seen():\n"
        "    return comm.create_comm, comm.get_comm_manager, threading.Thread.start, sys.stdout, w._instances\n"
        "before = seen()\n"
        "import solara_ctx\n"
        "assert all(a is b for a, b in zip(before, seen()))\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)  # noqa: S603 - our own lines


# Per kernel


def test_each_kernel_has_its_own_widgets(kernel: StandInContext) -> None:
    """The table, `Widget.close_all`, and references between widgets stay within a kernel."""
    other = StandInContext(kernel_id="another kernel")
    mine, theirs = kernel.run(widgets.Label), other.run(widgets.Label)
    table: Any = widget_module._instances
    assert kernel.run(lambda: mine.model_id in table and theirs.model_id not in table)
    assert kernel.run(lambda: table[mine.model_id]) is mine
    assert kernel.run(lambda: (len(table), set(table))) == (3, set(kernel.living_host.widgets))
    assert mine.model_id not in table
    with pytest.raises(KeyError):
        kernel.run(lambda: table[theirs.model_id])
    kernel.run(Widget.close_all)
    assert (mine.comm, theirs.comm is None) == (None, False)
    other.close()


def test_a_widget_counts_for_its_own_kernel(kernel: StandInContext) -> None:
    """Whose table a widget is in, and leaves, does not depend on where that happens."""
    other = StandInContext(kernel_id="another kernel")
    label = kernel.run(widgets.Label)
    other.run(label.close)
    assert all(not isinstance(item, widgets.Label) for item in kernel.living_host.widgets.values())
    opened = kernel.run(lambda: comm.create_comm("jupyter.widget"))
    other.run(lambda: widgets.Label(comm=opened))
    assert opened.comm_id in kernel.living_host.widgets
    assert opened.comm_id not in other.living_host.widgets
    other.close()


def test_a_widget_without_a_kernel_is_upstreams(kernel: StandInContext) -> None:
    """Made where no kernel is current it has a dummy comm, and is in upstream's own table until it is closed."""
    label = widgets.Label()
    assert isinstance(label.comm, BaseComm)
    assert not isinstance(label.comm, KernelComm)
    assert label.model_id in widget_module._instances
    assert label.model_id not in kernel.living_host.widgets
    model_id = label.model_id
    label.close()
    assert model_id not in widget_module._instances
    with pytest.raises(KeyError):
        del widget_module._instances[model_id]
    with pytest.raises(KeyError):
        kernel.run(lambda: widget_module._instances.__delitem__(model_id))


def test_iterating_over_widgets_while_others_are_made(kernel: StandInContext) -> None:
    """The table is iterated over as a snapshot."""

    def use() -> None:
        for _ in range(3):
            widgets.Label()
        for _ in widget_module._instances:
            widgets.Label()

    kernel.run(use)


def test_a_widget_is_closed_while_a_thread_changes_it(kernel: StandInContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the thread has to say is lost, as with a widget that was closed before, and is no error of the thread's."""
    label = kernel.run(widgets.Label)

    def closing_meanwhile(_comm: KernelComm) -> object:
        label.close()
        return kernel.living_host.kernel

    monkeypatch.setattr(KernelComm, "kernel", property(closing_meanwhile))
    kernel.run(lambda: label.send("something"))
    assert label.comm is None


def test_each_kernel_has_its_own_comm_manager(kernel: StandInContext) -> None:
    """Targets of one kernel are unknown to the next, and to the process."""
    other = StandInContext(kernel_id="another kernel")
    kernel.run(lambda: comm.get_comm_manager().register_target("mine", print))
    assert "mine" in kernel.run(comm.get_comm_manager).targets
    assert "mine" not in other.run(comm.get_comm_manager).targets
    assert "mine" not in comm.get_comm_manager().targets
    assert widgets.comm.get_comm_manager() is comm.get_comm_manager()
    other.close()


def test_each_kernel_is_the_kernel(kernel: StandInContext) -> None:
    """`Kernel.instance()` is the one that is current; outside there is none, or the process's own."""
    assert kernel.run(Kernel.initialized)
    assert kernel.run(Kernel.instance) is kernel.living_host.kernel
    assert Kernel.initialized() is False


def test_ipykernels_own_comm_reaches_our_pages(kernel: StandInContext) -> None:
    """A library that makes its comms by ipykernel's class finds session and kernel where it looks for them."""
    page = Page(kernel)
    kernel.run(lambda: ipykernel.comm.comm.BaseComm(target_name="theirs"))
    assert [message["content"]["target_name"] for message in page.heard()] == ["theirs"]


def test_a_subclass_keeps_its_own_instance(kernel: StandInContext) -> None:
    """Outside a kernel a singleton of the process is still made and found."""

    class ProcessKernel(Kernel):
        """The kernel of an embedding application."""

    made = ProcessKernel.instance()
    try:
        assert ProcessKernel.initialized()
        assert ProcessKernel.instance() is made
    finally:
        ProcessKernel.clear_instance()


def test_atexit_is_upstreams_outside_a_kernel(kernel: StandInContext) -> None:
    """Kernel code that IPython registers with `atexit` is not; anything else is."""
    module: Any = interactiveshell
    calls: list[int] = []
    before = atexit._ncallbacks()
    kernel.run(module.atexit.register, calls.append)
    assert atexit._ncallbacks() == before
    assert module.atexit.register(calls.append, 1) == calls.append
    assert atexit._ncallbacks() == before + 1
    module.atexit.unregister(calls.append)


def test_a_closed_kernel_has_nothing_to_offer() -> None:
    """Where the kernel that is current has ended: no widgets, no comms, no shell, and nobody else's either."""
    with patched():
        context = StandInContext()
        handle = context.handle()
        context.run(widgets.Label)
        context.close()
        with current.bound(handle):
            assert list(widget_module._instances) == []
            assert get_ipython() is None
            with pytest.raises(ContextClosed):
                widgets.Label()
            with pytest.raises(ContextClosed):
                comm.create_comm("mine")


def test_widgets_outlive_the_patches() -> None:
    """What user code still holds when the service stops can be used and dropped."""
    with patched():
        context = StandInContext()
        out, button = context.run(lambda: (Output(), widgets.Button()))
        button.on_click(lambda _: None)
        context.close()
    button.click()
    with out:
        pass
    button.close()


# Canaries: upstream is still what the patches were written for


def source_of(item: Any) -> str:
    return inspect.getsource(item)


def test_canary_comm_functions_are_looked_up_when_called() -> None:
    """Widgets ask the `comm` module for its functions at each call."""
    assert "return comm.create_comm(*args, **kwargs)" in source_of(sys.modules["ipywidgets.comm"])
    assert "return comm.get_comm_manager()" in source_of(sys.modules["ipywidgets.comm"])
    assert "comm.create_comm(**args)" in source_of(Widget.open)


def test_canary_base_comm_takes_the_arguments_that_we_pass_on() -> None:
    """The positional arguments of a comm are the ones we name."""
    names = list(inspect.signature(BaseComm.__init__).parameters)
    assert names[1:6] == ["target_name", "data", "metadata", "buffers", "comm_id"]


def test_canary_instances_are_looked_up_when_needed() -> None:
    """There is one table, a module attribute, and nobody imports it by name."""
    holders = [
        name
        for name, module in list(sys.modules.items())
        if name.startswith("ipywidgets") and "_instances" in vars(module)
    ]
    assert holders == ["ipywidgets.widgets.widget"]
    assert "_instances[self.model_id] = self" in source_of(widget_module)
    assert "_instances.pop(self.model_id, None)" in source_of(Widget.close)


def test_canary_callbacks_are_reported_through_get_ipython() -> None:
    """`get_ipython` of the widget module is used to show tracebacks and for nothing else."""
    source = source_of(widget_module)
    assert source.count("get_ipython()") == source.count("ip.showtraceback()") == 2


def test_canary_a_widget_sends_as_we_do() -> None:
    """It does nothing but to look for its comm, with a kernel if it has one, and to send."""
    source = inspect.getsource(Widget._send)
    assert source.count("self.comm") == 4
    assert "self.comm.send(data=msg, buffers=buffers)" in source
    assert "self.comm.kernel is not None" in source


def test_canary_own_methods_are_registered_through_on_msg() -> None:
    """Core widgets register methods of themselves by `on_msg` and `observe` only."""
    assert "self.on_msg(self._handle_button_msg)" in source_of(widgets.Button.__init__)
    assert "self.on_msg(self._handle_string_msg)" in source_of(widgets.Text.__init__)
    assert list(inspect.signature(Widget.on_msg).parameters) == ["self", "callback", "remove"]


def test_canary_get_ipython_asks_the_class() -> None:
    """`get_ipython` asks `InteractiveShell.initialized` and `.instance`, wherever it was imported to."""
    source = source_of(sys.modules["IPython.core.getipython"])
    assert "InteractiveShell.initialized()" in source
    assert "InteractiveShell.instance()" in source
    assert "initialized" not in vars(InteractiveShell)
    assert "instance" not in vars(InteractiveShell)
    assert "initialized" not in vars(Kernel)


def test_canary_atexit_is_used_as_a_module() -> None:
    """IPython registers its handlers through the module attribute that is replaced, and there are no further ones."""
    assert "atexit.register(self.atexit_operations)" in source_of(InteractiveShell.__init__)
    assert source_of(interactiveshell).count("atexit.register(") == 1
    assert source_of(script).count("atexit.register(") == 1


def test_canary_ipykernel_replaces_comm_functions_at_import() -> None:
    """The reason why it is imported before anything is patched."""
    assert "comm.create_comm = _create_comm" in source_of(ipykernel.ipkernel)


def test_two_kernels_in_many_threads(kernel: StandInContext) -> None:
    """Threads of two kernels that make widgets at once never see each other's."""
    other = StandInContext(kernel_id="another kernel")
    strangers: list[object] = []

    def make(context: StandInContext) -> None:
        for _ in range(50):
            label = widgets.Label()
            if label.comm.host is not context.host:
                strangers.append(label)

    threads = [threading.Thread(target=make, args=(context,)) for context in (kernel, other) for _ in range(2)]
    for context, thread in zip((kernel, kernel, other, other), threads, strict=True):
        context.run(thread.start)
    for thread in threads:
        thread.join()
    assert strangers == []
    assert len(kernel.living_host.widgets) == len(other.living_host.widgets) == 300
    other.close()


def test_nothing_is_left_of_the_patches() -> None:
    """After the last service every place is as before."""
    places = [(comm, "create_comm"), (widget_module, "_instances"), (threading.Thread, "start"), (sys, "displayhook")]
    before = [vars(owner)[name] for owner, name in places]
    patching.acquire()
    assert all(vars(owner)[name] is not old for (owner, name), old in zip(places, before, strict=True))
    patching.release()
    assert [vars(owner)[name] for owner, name in places] == before
