"""What is measured inside a server's process, and a thread that measures it when it is told to.

The same code runs in every system under test. It knows none of them: it finds the event loop through uvicorn, which all
of them are served by, and kernels, shells and widgets by the classes of ipykernel, IPython and ipywidgets.
"""

import asyncio
import gc
import json
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TextIO

import psutil
import uvicorn

from benchmarks.support.allocated import in_use
from benchmarks.support.lateness import Late, Lateness

Answer = dict[str, object]
Kinds = dict[str, Callable[[type], bool]]

_READY_S = 60.0
_CLOSED_S = 300.0
_POLL_S = 0.01
_ONLY_COUNTED = frozenset({"widgets"})  # so many that references to them would weigh in what is measured


class Watched:
    """Weak references to objects, by kind."""

    def __init__(self, found: Iterable[tuple[str, object]]) -> None:
        self._refs: dict[str, list[weakref.ref[object]]] = {}
        for kind, thing in found:
            self._refs.setdefault(kind, []).append(weakref.ref(thing))

    def alive(self) -> dict[str, int]:
        return {kind: sum(ref() is not None for ref in refs) for kind, refs in self._refs.items()}


def memory() -> Answer:
    """What the process holds: what it uses of its memory, and what the system sees, which is more."""
    return {
        "in_use": in_use(),
        "uss": psutil.Process().memory_full_info().uss,
        "threads": threading.active_count(),
    }


class Probe(threading.Thread):
    """Answers questions, one line of JSON each, until its input ends; then the server is asked to stop.

    Args:
        questions, answers: Where they come from and go to.
        kinds: What to look for at `find`, by name. Each test is given a class, never an object, so that none of an
            object's own code runs.
    """

    def __init__(self, questions: TextIO, answers: TextIO, kinds: Callable[[], Kinds]) -> None:
        super().__init__(name="benchmark-probe", daemon=True)
        self._questions = questions
        self._answers = answers
        self._kinds = kinds
        self._served: list[tuple[uvicorn.Server, asyncio.AbstractEventLoop]] = []
        self._watched = Watched(())
        self._closed_events: Sequence[threading.Event] = ()
        self._lateness: Lateness | None = None
        self._begun_s = 0.0
        self._stopping = False
        self._follow_uvicorn()

    def run(self) -> None:
        for line in self._questions:
            name, *numbers = json.loads(line)
            answer: Answer | None = getattr(self, f"on_{name}")(*numbers)
            if answer is not None:
                self._answer(answer)
        for server, _loop in self._served:
            server.should_exit = True

    def on_address(self) -> Answer:
        """Where the server listens, once it does."""
        deadline = time.monotonic() + _READY_S
        while not (self._served and self._served[0][0].started):
            if time.monotonic() > deadline:
                return {"error": f"the server has not started within {_READY_S:g} s"}
            time.sleep(_POLL_S)
        server, _loop = self._served[0]
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        return {"host": host, "port": port}

    def on_memory(self) -> Answer:
        return memory()

    def on_collect(self) -> Answer:
        """A full collection: how long it takes, what it finds, and what is left after it."""
        begun = time.perf_counter()
        found = gc.collect()
        return {"seconds": time.perf_counter() - begun, "found": found, "alive": self._watched.alive(), **memory()}

    def on_find(self) -> Answer:
        """Look for the kinds and watch what is found."""
        kinds = self._kinds()
        found = [
            (kind, thing) for thing in gc.get_objects() for kind, is_of_kind in kinds.items() if is_of_kind(type(thing))
        ]
        self._watched = Watched((kind, thing) for kind, thing in found if kind not in _ONLY_COUNTED)
        # An event holds nothing of what it belongs to.
        self._closed_events = [thing.closed_event for kind, thing in found if kind == "contexts"]
        counted = {name: sum(kind == name for kind, _ in found) for name in kinds}
        return {"found": counted}

    def on_begin(self) -> Answer:
        """The closing begins: from now on, how late the loop is counts. Before, nothing of it runs in the server."""
        self._begun_s = time.perf_counter()
        if self._lateness is None:
            self._lateness = Lateness(self._served[0][1])
        self._take_lateness()
        return {}

    def on_closed(self, grace_s: float) -> Answer:
        """Wait until every watched context says that it is closed, then *grace_s* more; and look."""
        for event in self._closed_events:
            if not event.wait(_CLOSED_S):
                return {"error": f"a kernel was not closed within {_CLOSED_S:g} s"}
        closed_s = time.perf_counter()
        time.sleep(grace_s)
        return {
            "alive": self._watched.alive(),
            "seconds": closed_s - self._begun_s,
            "longest_pause": self._take_lateness().longest,
            **memory(),
        }

    def on_rest(self, seconds: float) -> Answer:
        """Let the system do whatever it does by itself after a close, and look again."""
        self._take_lateness()  # what looking has cost before is not the system's
        time.sleep(seconds)
        return {"alive": self._watched.alive(), "longest_pause": self._take_lateness().longest, **memory()}

    def on_lateness(self) -> Answer:
        """How late the loop was since it was last asked, or since `begin`."""
        return dict(asdict(self._take_lateness()))

    def on_stop(self) -> None:
        """The process is asked to end, as by its supervisor; the answer comes from the loop, as its last act."""
        self.on_begin()
        self._stopping = True
        os.kill(os.getpid(), signal.SIGTERM)

    def _answer(self, answer: Answer) -> None:
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()

    def _take_lateness(self) -> Late:
        return Late(0.0, 0.0, 0.0) if self._lateness is None else self._lateness.take()

    def _has_shut_down(self) -> None:
        """Uvicorn has ended its connections and the app's lifespan; it raises the signal again after this, and the
        process is gone before anything else could run.
        """
        if self._stopping and self._lateness is not None:
            late = asdict(self._lateness.take_at_end())
            self._answer({"seconds": time.perf_counter() - self._begun_s, **late})

    def _follow_uvicorn(self) -> None:
        original, original_end = uvicorn.Server.serve, uvicorn.Server.shutdown
        served, then = self._served, self._has_shut_down

        async def serve(server: uvicorn.Server, sockets: list[object] | None = None) -> None:
            served.append((server, asyncio.get_running_loop()))
            await original(server, sockets)  # type: ignore[arg-type]

        async def shutdown(server: uvicorn.Server, sockets: list[object] | None = None) -> None:
            await original_end(server, sockets)  # type: ignore[arg-type]
            then()

        uvicorn.Server.serve = serve  # type: ignore[method-assign, assignment]
        uvicorn.Server.shutdown = shutdown  # type: ignore[method-assign, assignment]


def jupyter_kinds() -> Kinds:
    """Contexts, kernels, shells, one widget of each page, and all widgets."""
    import ipywidgets  # noqa: PLC0415 - only once the server has imported it, in the order in which it wants to
    from ipykernel.kernelbase import Kernel  # noqa: PLC0415
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415

    return {
        "contexts": lambda kind: kind.__name__ == "VirtualKernelContext",
        "kernels": lambda kind: issubclass(kind, Kernel),
        "shells": lambda kind: issubclass(kind, InteractiveShell),
        "sliders": lambda kind: issubclass(kind, ipywidgets.IntSlider),
        "widgets": lambda kind: issubclass(kind, ipywidgets.Widget),
    }


def start(kinds: Callable[[], Kinds] = jupyter_kinds) -> None:
    """Start the probe on this process's standard input and output; what the server prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    Probe(sys.stdin, answers, kinds).start()
