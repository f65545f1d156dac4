"""The comm targets that every kernel has for its pages: what to show, and the state of all widgets in one message."""

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

from comm.base_comm import BaseComm
from ipywidgets import Widget
from ipywidgets._version import __control_protocol_version__
from ipywidgets.widgets.widget import _remove_buffers

from solara_ctx.jupyter import wire
from solara_ctx.jupyter.comms import KernelComm
from solara_ctx.jupyter.session import ToPage

Json = dict[str, Any]

PAGE = "solara_ctx.page"
CONTROL = "jupyter.widget.control"

# So often the states are read at most that a page is told: those of widgets that were updated meanwhile, again.
_READINGS = 5


class BadMessage(Exception):
    """A page has sent a message that its addressee can't handle; the text says why and quotes nothing."""


class PageTarget:
    """Tells each page what to show, once that is known, what is new about that, whenever it is, and what is wrong with
    code that came later.

    Safe from any thread.

    Args:
        navigate: Is asked for another page, by path and query.
    """

    def __init__(self, navigate: Callable[[str], object]) -> None:
        self._navigate = navigate
        self._location: Json | None = None
        # For an instant, and reentrant: a finalizer may print.
        self._lock = threading.RLock()
        self._answer: Json | None = None
        self._code_error: Json | None = None
        self._console: Json = {}
        self._properties: Json = {}
        self._comms: tuple[KernelComm, ...] = ()
        self._waiting: dict[str, Callable[[], object]] = {}
        # What is to be sent, in order, by one thread at a time: a page must not hear of what was before after it has
        # heard of what is.
        self._news: list[tuple[tuple[KernelComm, ...], Json]] = []
        self._telling = False

    def open(self, comm: KernelComm, _: Mapping[str, Any]) -> None:
        """A page asks what to show."""
        comm.on_msg(self._asked)
        with self._lock:
            self._comms = (*self._comms, comm)
            if self._location is not None:
                self._news.append(((comm,), self._location))
            if self._answer is not None:
                self._answer_to((comm,), self._answer)
        self._tell()

    def leave_for(self, location: str) -> None:
        """Tell all pages where they are now; those that ask from now on wait for the next answer."""
        path, _, query = location.partition("?")
        with self._lock:
            self._answer = None
            self._location = {"method": "navigated", "path": path, "query": query}
            self._news.append((self._comms, self._location))
        self._tell()

    def answer(self, answer: Json) -> None:
        """Answer all pages: those that have asked, and those that will."""
        with self._lock:
            self._answer = answer
            self._answer_to(self._comms, answer)
            waiting, self._waiting = self._waiting, {}
        self._tell()
        for function in waiting.values():
            function()

    def once_answered(self, page_id: str, function: Callable[[], object]) -> None:
        """Call *function* now, or once there is an answer for that page, by the thread that gives it; of what waits for
        one page, the newest.
        """
        with self._lock:
            waits = self._answer is None
            if waits:
                self._waiting[page_id] = function
        if not waits:
            function()

    def set(self, properties: Mapping[str, Any]) -> None:
        """Change how all pages look; those that have their answer hear of it at once, the others with it.

        Raises:
            TypeError, ValueError: it can't be written as JSON.
        """
        wire.check(properties)
        with self._lock:
            self._properties = {**self._properties, **properties}
            if self._answer is not None:
                self._news.append((self._comms, {"method": "page", "page": dict(properties)}))
        self._tell()

    def show_console(self, model_id: str) -> None:
        """Tell all pages which widget shows what is printed, with the answer or, if that is later, after it."""
        with self._lock:
            self._console = {"console": model_id}
            if self._answer is not None:
                self._news.append((self._comms, {"run": self._answer["run"], **self._console}))
        self._tell()

    def code_error(self, error: Json | None) -> None:
        """The app's changed code could not be loaded, or can be again (`None`): the same."""
        with self._lock:
            self._code_error = error
            if self._answer is not None:
                self._news.append((self._comms, {"code_error": error}))
        self._tell()

    def sever(self) -> None:
        """Forget all pages."""
        self._comms = ()
        self._news.clear()
        self._waiting.clear()
        self._navigate = _to_nowhere

    def forget(self, comm: BaseComm) -> None:
        """That comm is closed."""
        with self._lock:
            self._comms = tuple(other for other in self._comms if other is not comm)

    def _answer_to(self, comms: tuple[KernelComm, ...], answer: Json) -> None:
        self._news.append((comms, {**answer, **self._console, "page": self._properties}))
        if self._code_error is not None:
            self._news.append((comms, {"code_error": self._code_error}))

    def _asked(self, message: Mapping[str, Any]) -> None:
        data = message["content"].get("data")
        path, query = (data.get("path"), data.get("query", "")) if isinstance(data, dict) else (None, None)
        if not isinstance(path, str) or not isinstance(query, str) or data.get("method") != "navigate":
            raise BadMessage("a message with an unknown method on the comm of the page")
        # Half of a surrogate pair is no character of an address.
        path = quote(path, errors="replace")
        self._navigate(f"{path}?{query}" if query else path)

    def _tell(self) -> None:
        """Send what is to be sent, unless somebody is at it, who then sends this, too."""
        while True:
            with self._lock:
                if self._telling or not self._news:
                    return
                self._telling = True
                comms, message = self._news.pop(0)
            try:
                for comm in comms:
                    comm.send(message)
            finally:
                self._telling = False


def _to_nowhere(_location: str) -> None:
    pass


class ControlTarget:
    """Sends the state of all widgets of one kernel in one message.

    Upstream keeps the comm to answer on in a class attribute: the last page to connect would get everybody's answers.

    Args:
        widgets: The table of the living widgets.
        failed: Is told which widget was left out, and why.
    """

    def __init__(self, widgets: Mapping[str, Widget], failed: Callable[[BaseException, str], object]) -> None:
        self._widgets = widgets
        self._failed = failed
        # Replaced as a whole, as threads that update widgets read it.
        self._watches: tuple[set[str], ...] = ()

    def open(self, comm: KernelComm, message: Mapping[str, Any]) -> None:
        """A page opens the channel.

        Raises:
            BadMessage: it speaks another version.
        """
        offered = message["metadata"].get("version")
        if not isinstance(offered, str) or offered.partition(".")[0] != __control_protocol_version__.partition(".")[0]:
            raise BadMessage(f"another version of the widget control protocol than {__control_protocol_version__}")
        comm.on_msg(partial(self._handle, weakref.ref(comm)))

    def updated(self, model_id: str) -> None:
        """An update of that widget is about to be sent.  Any thread."""
        for watch in self._watches:
            watch.add(model_id)

    def _handle(self, reference: "weakref.ref[KernelComm]", message: Mapping[str, Any]) -> None:
        comm, data = reference(), message["content"].get("data")
        if not isinstance(data, dict) or data.get("method") != "request_states":
            raise BadMessage("a message with an unknown method on the widget control comm")
        host = None if comm is None else comm.host
        sink = None if comm is None or host is None else host.session.sinks.get(comm.page_id or "")
        if comm is None or comm.page_id is None or host is None or sink is None:
            return
        if sink.hears_widgets:
            self._answer(reference)
        else:
            # Not before there is something to show, which an async page function takes its time for: the page would
            # have to ask again then, and hear meanwhile of widgets that come and go.
            host._page.once_answered(comm.page_id, partial(self._answer, reference))

    def _answer(self, reference: "weakref.ref[KernelComm]") -> None:
        comm = reference()
        host = None if comm is None else comm.host
        if comm is None or comm.page_id is None or host is None:
            return
        host.hear_widgets(comm.page_id)
        with self._watching() as updated:
            states = dict(self._states(list(self._widgets)))
            for _ in range(_READINGS):
                with host.session.hearing:  # nothing of widgets is sent meanwhile
                    stale = set(updated)
                    updated.clear()
                    if not stale:
                        self._send(comm, states)
                        break
                # A thread may have sent an update after we had read the state: the page would go back to the older one.
                states.update(self._states(stale))
            else:
                self._send(comm, states)
        # One that was closed in between: the page heard of its end first, and has it now.
        for model_id in states.keys() - self._widgets.keys():
            host.session.send(ToPage(comm.page_id, "iopub"), "comm_close", {"comm_id": model_id, "data": {}})
        # Of one that never rests: the page may have the older value last, and for a progress bar that is done it would
        # stay the last.
        for model_id in updated:
            widget = self._widgets.get(model_id)
            if widget is not None:
                widget.send_state()

    @contextmanager
    def _watching(self) -> Iterator[set[str]]:
        watch: set[str] = set()
        self._watches = (*self._watches, watch)
        try:
            yield watch
        finally:
            self._watches = tuple(other for other in self._watches if other is not watch)

    def _send(self, comm: KernelComm, states: Json) -> None:
        try:
            _send_states(comm, states)
        except (TypeError, ValueError):
            _send_states(comm, dict(self._writable(states)))

    def _states(self, model_ids: Iterable[str]) -> Iterator[tuple[str, Json]]:
        for model_id in model_ids:
            widget = self._widgets.get(model_id)
            if widget is None:
                continue
            try:
                yield (
                    model_id,
                    {
                        "model_name": widget._model_name,
                        "model_module": widget._model_module,
                        "model_module_version": widget._model_module_version,
                        "state": widget.get_state(),
                    },
                )
            except Exception as error:  # noqa: BLE001 - a widget's own code; the others must not suffer
                self._failed(error, f"the state of a {type(widget).__name__}")

    def _writable(self, states: Json) -> Iterator[tuple[str, Json]]:
        for model_id, state in states.items():
            try:
                wire.check(_remove_buffers(state)[0])
            except (TypeError, ValueError) as error:
                widget = self._widgets.get(model_id)
                if widget is not None:
                    self._failed(error, f"the state of a {type(widget).__name__}")
            else:
                yield model_id, state


def _send_states(comm: KernelComm, states: Json) -> None:
    states, buffer_paths, buffers = _remove_buffers(states)
    comm.send({"method": "update_states", "states": states, "buffer_paths": buffer_paths}, buffers=buffers)
