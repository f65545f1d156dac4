"""Every kind of root is found and named, and so is what no root leads to."""

import asyncio
import atexit
import contextvars
import functools
import gc
import logging
import operator
import signal
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from solara_ctx.leaks import explain as searching
from solara_ctx.leaks.explain import Explanation
from tests.support.fakes import PATIENCE_S

# A process that has loaded all tests, and is traced, on a busy machine.
explain = functools.partial(searching.explain, budget_s=PATIENCE_S)
HERE = "tests/leaks/test_explain_roots.py"
REQUEST: contextvars.ContextVar[object] = contextvars.ContextVar("request")
KEPT: list[object] = []  # line: KEPT


class Label:
    """What should be gone."""


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    yield
    KEPT.clear()


def at(marker: str) -> str:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return f"{HERE}:{next(n for n, text in enumerate(lines, 1) if text.endswith(f'# line: {marker}'))}"


def planted(hold: Callable[[Label], object]) -> "weakref.ref[object]":
    """A label that nobody has but whoever *hold* has given it to."""
    label = Label()
    hold(label)
    return weakref.ref(label)


@contextmanager
def waiting_thread(work: Callable[[Callable[[], None]], None]) -> Iterator[threading.Thread]:
    """A thread that runs *work*, which has to call its argument: there it waits until the block ends."""
    there, end = threading.Event(), threading.Event()

    def wait() -> None:
        there.set()
        end.wait()

    thread = threading.Thread(target=work, args=(wait,), name="worker-of-test")
    thread.start()
    there.wait()
    try:
        yield thread
    finally:
        end.set()
        thread.join()


def test_running_frame() -> None:
    """A local variable of a function that another thread runs: thread, function, current line, variable."""
    references: list[weakref.ref[object]] = []

    def poll(wait: Callable[[], None]) -> None:
        label = Label()
        references.append(weakref.ref(label))
        wait()  # line: poll

    with waiting_thread(poll):
        found = explain(references)
    assert found.text() == f"thread 'worker-of-test' running poll ({at('poll')}), local variable label -> Label"
    assert found.culprit == found.links[0]
    assert [reference() for reference in references] == [None]


def test_variable_of_a_running_frame_in_a_cell() -> None:
    """A variable that an inner function shares is a local variable all the same."""
    references: list[weakref.ref[object]] = []

    def poll(wait: Callable[[], None]) -> None:
        label: list[object] = [Label()]
        references.append(weakref.ref(label[0]))

        def inner() -> None:
            assert label
            wait()

        inner()

    with waiting_thread(poll):
        assert ", local variable label -> list[0] -> Label" in explain(references).text()


def test_frame_called_from_c() -> None:
    """A frame below a call from C is seen."""
    references: list[weakref.ref[object]] = []

    def key(wait: Callable[[], None]) -> int:
        label = Label()
        references.append(weakref.ref(label))
        wait()
        return 0

    with waiting_thread(lambda wait: max([wait, wait], key=key)):  # type: ignore[arg-type]
        assert " running key (" in explain(references).text()


def test_body_of_a_module_that_is_not_imported() -> None:
    """A script's variables, run without being a module, are found through the frame that runs it."""
    references: list[weakref.ref[object]] = []
    script = "label = make()\nwait()\n"

    def make() -> Label:
        label = Label()
        references.append(weakref.ref(label))
        return label

    def run(wait: Callable[[], None]) -> None:
        exec(compile(script, "script.py", "exec"), {"__name__": "script", "make": make, "wait": wait})  # noqa: S102

    with waiting_thread(run):
        found = explain(references)
    assert found.found
    assert found.text().endswith("module variable script.label -> Label")


def test_arguments_of_a_thread() -> None:
    """A thread's arguments are kept until it ends: its name, target and place."""

    def idle(label: object, wait: Callable[[], None]) -> None:
        del label
        wait()  # pragma: no branch

    there, end = threading.Event(), threading.Event()

    def wait() -> None:
        there.set()
        end.wait()

    def start(label: Label) -> None:
        thread = threading.Thread(target=idle, args=(label, wait), name="idler")
        thread.start()
        there.wait()

    reference = planted(start)
    try:
        found = explain([reference])
    finally:
        end.set()
        for thread in threading.enumerate():
            if thread.name == "idler":
                thread.join()
    line = idle.__code__.co_firstlineno
    assert found.text().endswith("-> Label")
    assert (
        found.text() == f"thread 'idler' (target idle, {HERE}:{line}), argument 0 -> Label"
        or " running run (threading.py:" in found.text()  # whose variable `self` is as near
    )


def test_attribute_of_a_thread_subclass() -> None:
    """What a thread object of a subclass keeps."""
    there, end = threading.Event(), threading.Event()

    class Worker(threading.Thread):
        def __init__(self, label: object) -> None:
            super().__init__(name="sub")
            self.label = label

        def run(self) -> None:
            there.set()
            end.wait()

    def start(label: Label) -> None:
        Worker(label).start()
        there.wait()

    reference = planted(start)
    try:
        found = explain([reference])
    finally:
        end.set()
        next(thread for thread in threading.enumerate() if thread.name == "sub").join()
    line = Worker.run.__code__.co_firstlineno
    assert found.text() == f"thread 'sub' (method Worker.run, {HERE}:{line}), attribute label -> Label"
    assert found.culprit == found.links[0]


def run_with_loop(
    prepare: Callable[[asyncio.AbstractEventLoop], Awaitable["weakref.ref[object]"]],
) -> Explanation:
    """What is said, on another thread, of what *prepare* has planted on a loop."""

    async def main() -> Explanation:
        reference = await prepare(asyncio.get_running_loop())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        found = await asyncio.to_thread(explain, [reference])
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return found

    return asyncio.run(main())


def test_pending_task() -> None:
    """A pending task: its name, coroutine, the line where it waits, and the variable; not what the loop is made of."""

    async def poll(label: Label) -> None:
        await asyncio.sleep(1000)  # line: task
        assert label is not None

    async def prepare(loop: asyncio.AbstractEventLoop) -> "weakref.ref[object]":
        label = Label()
        KEPT.append(weakref.ref(label))
        _ = loop.create_task(poll(label), name="poller")
        return weakref.ref(label)

    found = run_with_loop(prepare)
    assert found.text() == f"pending task 'poller' of poll (waiting at {at('task')}), local variable label -> Label"
    assert found.culprit == found.links[0]


def test_pending_task_that_awaits_another_coroutine() -> None:
    """The coroutine that has it, below that of the task."""

    async def inner(label: Label) -> None:
        await asyncio.sleep(1000)  # line: inner
        assert label is not None

    async def outer(labels: list[Label]) -> None:
        await inner(labels.pop())  # line: outer

    async def prepare(loop: asyncio.AbstractEventLoop) -> "weakref.ref[object]":
        label = Label()
        _ = loop.create_task(outer([label]), name="poller")
        return weakref.ref(label)

    assert run_with_loop(prepare).text() == (
        f"pending task 'poller' of outer (waiting at {at('outer')}) -> "
        f"coroutine inner (waiting at {at('inner')}), local variable label -> Label"
    )


def test_finished_task() -> None:
    """A finished task that somebody keeps with its result: no root, and said to be finished."""

    async def give(label: Label) -> Label:
        return label

    async def prepare(loop: asyncio.AbstractEventLoop) -> "weakref.ref[object]":
        label = Label()
        task = loop.create_task(give(label), name="giver")
        KEPT.append(task)
        await task
        return weakref.ref(label)

    assert run_with_loop(prepare).text() == (
        f"{at('KEPT')} module variable KEPT -> list[0] -> finished task 'giver' of give, its result -> Label"
    )


def test_timer_and_callback() -> None:
    """What a loop is going to call: later, with its arguments."""

    def tick(label: object) -> None:
        """Do nothing."""

    async def prepare(loop: asyncio.AbstractEventLoop) -> "weakref.ref[object]":
        label = Label()
        loop.call_later(1000, tick, label)
        return weakref.ref(label)

    async def prepare_closure(loop: asyncio.AbstractEventLoop) -> "weakref.ref[object]":
        label = Label()
        loop.call_later(1000, lambda: label)
        return weakref.ref(label)

    line = tick.__code__.co_firstlineno
    assert run_with_loop(prepare).text() == f"timer of the event loop: tick ({HERE}:{line}), argument 0 -> Label"
    assert run_with_loop(prepare_closure).text().startswith("timer of the event loop -> closure of lambda (")


def test_context_of_a_running_thread() -> None:
    """A context variable of another thread, whose context only C code holds."""
    references: list[weakref.ref[object]] = []

    def work(wait: Callable[[], None]) -> None:
        REQUEST.set(Label())
        value = REQUEST.get()
        references.append(weakref.ref(value))
        del value
        wait()

    with waiting_thread(work):
        found = explain(references)
    assert found.text() == "contextvar request -> Label; in the context of a thread"
    assert found.found


def test_default_of_a_context_variable() -> None:
    """The default of a context variable."""
    reference = planted(lambda label: KEPT.append(contextvars.ContextVar("other", default=label)))
    assert explain([reference]).text() == (
        f"{at('KEPT')} module variable KEPT -> list[0] -> default of contextvar other -> Label"
    )


def test_atexit() -> None:
    """A function that is to be called at the end, which only C code holds."""

    def register(label: Label) -> None:
        def bye() -> None:  # line: bye
            assert label is not None

        atexit.register(bye)
        KEPT.append(weakref.ref(bye))

    reference = planted(register)
    found = explain([reference])
    assert found.text() == f"atexit -> closure of bye ({at('bye')}), variable label -> Label"
    assert found.culprit == found.links[1]
    reference_to_bye = KEPT[0]
    assert isinstance(reference_to_bye, weakref.ref)
    bye = reference_to_bye()
    assert bye is not None
    atexit.unregister(bye)
    del bye
    assert reference() is None


def test_arguments_of_atexit() -> None:
    """Arguments can't be told from anything else that C code holds: the functions are named as a guess."""

    def save(label: object) -> None:  # line: save
        """Do nothing."""

    reference = planted(lambda label: atexit.register(save, label))
    try:
        found = explain([reference])
    finally:
        atexit.unregister(save)
    assert found.root.startswith("held from C: 1 reference, none visible to Python (perhaps the arguments of atexit's ")
    assert f"save ({at('save')})" in found.root
    assert found.text().endswith(") -> tuple[0] -> Label")
    assert reference() is None


def test_signal_handler() -> None:
    """The handler of a signal, which only C code holds."""

    def handle(label: object) -> Callable[..., None]:
        return lambda *_: print(label)

    before = signal.getsignal(signal.SIGUSR1)
    try:
        reference = planted(lambda label: signal.signal(signal.SIGUSR1, handle(label)))
        found = explain([reference])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert found.text().startswith("handler of SIGUSR1 -> closure of lambda (")
    assert reference() is None


def test_hooks_of_gc_and_sys() -> None:
    """Hooks of the interpreter are variables of their modules."""

    def hook(label: object) -> Callable[..., object]:
        return lambda *_: label

    reference = planted(lambda label: gc.callbacks.append(hook(label)))
    try:
        assert explain([reference]).text().startswith("module variable gc.callbacks -> list[")
    finally:
        gc.callbacks.pop()
    before = sys.unraisablehook
    reference = planted(lambda label: setattr(sys, "unraisablehook", hook(label)))
    try:
        assert explain([reference]).text().startswith("module variable sys.unraisablehook -> closure of lambda (")
    finally:
        sys.unraisablehook = before


def test_logger() -> None:
    """A logger that is registered is a root."""
    reference = planted(lambda label: setattr(logging.getLogger("tests.roots"), "label", label))
    try:
        assert explain([reference]).text() == "logger 'tests.roots', label -> Label"
    finally:
        del logging.getLogger("tests.roots").label  # type: ignore[attr-defined]


def test_only_a_cycle() -> None:
    """What holds itself, and waits for the collector, is told so, with the cycle."""

    class Node:
        def __init__(self) -> None:
            self.other: object = None

    def tie() -> "weakref.ref[object]":
        first, second = Node(), Node()
        first.other, second.other = second, first
        return weakref.ref(first)

    gc.disable()
    try:
        reference = tie()
        found = explain([reference])
        assert reference() is not None
    finally:
        gc.enable()
    assert found.found
    assert found.root == "only a reference cycle of its own"
    assert found.text().endswith("-> Node; the garbage collector has not run")
    assert [link.text.partition(" (")[0] for link in found.links[1:]] == ["Node.other", "Node.other", "Node"]


def test_what_hangs_on_a_cycle() -> None:
    """The cycle, and the way from it to the object."""

    def tie() -> "weakref.ref[object]":
        label = Label()
        holder: list[object] = [label]
        holder.append(holder)
        return weakref.ref(label)

    gc.disable()
    try:
        text = explain([tie()]).text()
    finally:
        gc.enable()
    assert text == "only a reference cycle of its own: list[1] -> list[0] -> Label; the garbage collector has not run"


def test_held_from_c() -> None:
    """What C code holds out of sight is told so, with the number of references."""
    here, there = threading.Event(), threading.Event()

    def wait(label: Label) -> int:
        here.set()
        del label
        there.wait()
        return 0

    labels = [Label()]
    reference: weakref.ref[object] = weakref.ref(labels[0])
    # The iterator of a `for` loop, or of a `sum` here, lies on the stack of the interpreter.
    thread = threading.Thread(target=lambda: sum(map(wait, iter([labels.pop()]))))
    thread.start()
    here.wait()
    try:
        found = explain([reference])
    finally:
        there.set()
        thread.join()
    assert found.found
    assert found.root.startswith("held from C: 1 reference, none visible to Python")
    assert found.text().endswith("-> Label")


@pytest.mark.parametrize("hold", [KEPT.append, lambda label: KEPT.append({"x": [functools.partial(print, label)]})])
def test_frozen_holder(hold: Callable[[Label], object]) -> None:
    """A holder in frozen memory, which no search backwards can see, is found from the roots."""
    reference = planted(hold)
    gc.freeze()
    try:
        assert [holder for holder in gc.get_referrers(KEPT) if holder is globals()] == []
        found = explain([reference])
    finally:
        gc.unfreeze()
    assert found.text().startswith(f"{at('KEPT')} module variable KEPT -> list[0] -> ")
    assert found.text().endswith("Label")


def test_frozen_task() -> None:
    """A chain that was found from the roots begins at the nearest of them."""

    async def poll(label: Label) -> None:
        await asyncio.sleep(1000)  # line: frozen task
        assert label is not None

    async def prepare(loop: asyncio.AbstractEventLoop) -> "weakref.ref[object]":
        label = Label()
        _ = loop.create_task(poll(label), name="poller")
        await asyncio.sleep(0)
        gc.freeze()
        return weakref.ref(label)

    try:
        found = run_with_loop(prepare)
    finally:
        gc.unfreeze()
    assert found.text() == (
        f"pending task 'poller' of poll (waiting at {at('frozen task')}), local variable label -> Label"
    )


def test_many_targets() -> None:
    """The chain to whichever target is nearest, among hundreds: the search goes onwards from the roots then."""
    labels = [Label() for _ in range(1000)]
    references: list[weakref.ref[object]] = [weakref.ref(label) for label in labels]
    KEPT.append({"deep": {"deeper": labels}})
    KEPT.append({"x": labels[700]})
    del labels
    assert explain(references).text() == f"{at('KEPT')} module variable KEPT -> list[1] -> dict['x'] -> Label"


def test_the_target_is_a_root() -> None:
    """A target that is a root itself is a chain of one link."""
    with waiting_thread(operator.call) as thread:
        found = explain([weakref.ref(thread)])
        del thread
    assert [link.kind for link in found.links] == ["thread"]
    assert found.text().startswith("thread 'worker-of-test' (")


def test_nothing_alive() -> None:
    """What is gone needs no explanation."""
    found = explain([planted(lambda _: None)])
    assert not found.found
    assert found.text() == "none of it is alive"
    assert found.links == ()
    assert found.culprit is None


def test_a_pending_task_is_the_target() -> None:
    """A task that should have ended: where it waits is all there is to say."""

    async def poll() -> None:
        await asyncio.sleep(1000)  # line: task as target

    async def prepare(loop: asyncio.AbstractEventLoop) -> "weakref.ref[object]":
        return weakref.ref(loop.create_task(poll(), name="poller"))

    found = run_with_loop(prepare)
    assert found.text() == f"pending task 'poller' of poll (waiting at {at('task as target')})"
    assert found.culprit == found.links[0]


def test_functions_and_classes_as_targets() -> None:
    """What is neither an instance nor a widget may be asked for, too."""

    def act() -> None:  # line: act
        """Do nothing."""

    class Local:
        """Nothing in it."""

    KEPT.append({"x": act, "y": Local})
    references: list[weakref.ref[object]] = [weakref.ref(act), weakref.ref(Local)]
    del act, Local
    start = f"{at('KEPT')} module variable KEPT -> list[0] -> "
    assert explain(references[:1]).text() == f"{start}dict['x'] -> function act ({at('act')})"
    assert explain(references[1:]).text().startswith(f"{start}dict['y'] -> ")
    assert explain([weakref.ref(Label)]).links[0].kind == "class"


def test_the_free_list_of_asyncio_is_left_alone() -> None:
    """Asking `_asyncio` for its references would make every later collection hang, on Python 3.12."""

    async def wait() -> None:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(3)]
        for future in futures:
            loop.call_soon(future.set_result, None)
            await future

    asyncio.run(wait())
    for _ in range(2):
        reference = planted(KEPT.append)
        gc.freeze()
        try:
            assert explain([reference]).found
        finally:
            gc.unfreeze()
        KEPT.clear()
