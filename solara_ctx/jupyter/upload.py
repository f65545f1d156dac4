"""Files for FileUpload widgets: pages send them in pieces, over a comm of their own.

Upstream's page reads all of them into memory, and sends them in one message, which no server takes.  Here nothing has
to be as large as a file but the file, nobody waits behind it, and a lost connection goes on where it was.  A page that
does as upstream's is served as well.

What the page says on the comm, and what it is told:

- `comm_open` with `{"widget": model id, "files": [{"name", "type", "size", "last_modified"}, …]}`, sizes in bytes and
  times in milliseconds; the answer is `{"status": "ready"}`, or `{"status": "refused", "reason": text for people}` and
  the end.
- `{"offset": n}` with one buffer, the bytes of all files from the n-th on; the answer is `{"received": bytes so far}`,
  and after the last one `{"status": "done"}` and the end.
- `{"stop": true}` where somebody has changed his mind; the answer is `{"status": "stopped"}` and the end.

At the end each side forgets the comm, without a word.  Where the kernel closes it, something was wrong.
"""

import weakref
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from ipywidgets import FileUpload, Widget
from ipywidgets.widgets.widget_upload import _deserialize_value

from solara_ctx.jupyter.comms import KernelComm
from solara_ctx.jupyter.targets import BadMessage
from solara_ctx.weak import WeakBag

UPLOAD = "solara_ctx.upload"
"""The target of an upload's comm."""

# What a datetime has.
_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_999
_MB = 1_000_000
Json = dict[str, Any]


class _File(NamedTuple):
    name: str
    type: str
    size: int
    last_modified: float
    content: bytearray


class UploadTarget:
    """Takes uploads for the widgets of one kernel.  On its worker.

    Args:
        widgets: The table of the living widgets.
        limit_bytes: So much all uploads at a time may have together.
    """

    def __init__(self, widgets: Mapping[str, Widget], limit_bytes: int) -> None:
        self._widgets = widgets
        self._limit_bytes = limit_bytes
        # Each is held by its comm, and goes with it.
        self._running: WeakBag[_Upload] = WeakBag()

    def open(self, comm: KernelComm, message: Mapping[str, Any]) -> None:
        """A page begins to upload.

        Raises:
            BadMessage: to no widget, or what are no files.
        """
        data = message["content"]["data"]
        widget = self._widgets.get(str(data.get("widget")))
        if not isinstance(widget, FileUpload):
            raise BadMessage("an upload for what is no FileUpload")
        upload = _Upload(widget, _files(data.get("files"), multiple=widget.multiple))
        reason = self._refusal(upload)
        if reason is not None:
            _end(comm, {"status": "refused", "reason": reason})
            return
        self._running.add(upload)
        comm.on_msg(partial(upload.receive, weakref.ref(comm)))
        comm.send({"status": "ready"})
        if upload.size == 0:
            upload.finish(comm)

    def _refusal(self, upload: "_Upload") -> str | None:
        if upload.size > self._limit_bytes:
            return f"That is {_in_mb(upload.size)}; the server takes {_in_mb(self._limit_bytes)} at most."
        if upload.size + sum(other.size for other in self._running.living()) > self._limit_bytes:
            return "Another upload is under way; please try again when it has ended."
        return None


class _Upload:
    """Files that are on their way to a widget."""

    def __init__(self, widget: FileUpload, files: list[_File]) -> None:
        self.size = sum(file.size for file in files)
        self._widget = weakref.ref(widget)
        self._files = files
        self._received = 0

    def receive(self, reference: "weakref.ref[KernelComm]", message: Mapping[str, Any]) -> None:
        """A piece has come.

        Raises:
            BadMessage: it is none, or not the next one.
        """
        comm = reference()
        if comm is None:
            return
        data, buffers = message["content"]["data"], message["buffers"]
        if data.get("stop") is True:
            _end(comm, {"status": "stopped"})
            return
        if data.get("offset") != self._received or len(buffers) != 1 or not buffers[0].nbytes:
            comm.close()
            raise BadMessage("a piece of an upload that is not the next one")
        if not self._take(buffers[0]):
            comm.close()
            raise BadMessage("more of an upload than it was to have")
        comm.send({"received": self._received})
        if self._received == self.size:
            self.finish(comm)

    def _take(self, piece: memoryview) -> bool:
        """Add a piece, which may be of several files; whether there is room for it."""
        if self._received + piece.nbytes > self.size:
            return False
        self._received += piece.nbytes
        for file in self._files:
            part = piece[: file.size - len(file.content)]
            file.content.extend(part)
            piece = piece[part.nbytes :]
        return True

    def finish(self, comm: KernelComm) -> None:
        """Hand the files to the widget, whose observers are the user's code."""
        widget = self._widget()
        files, self._files = self._files, []
        comm.on_msg(None)
        try:
            if widget is not None:
                states = [file._asdict() | {"content": memoryview(file.content).toreadonly()} for file in files]
                del files
                with widget.hold_sync():
                    widget.error = ""
                    widget.value = _deserialize_value(states, None)
        finally:
            _end(comm, {"status": "done"})


def _end(comm: KernelComm, last: Json) -> None:
    comm.send(last)
    # A page that has forgotten the comm would take a closing for a mistake.
    comm.close(deleting=True)


def state_without_content(value: Any, _: Widget) -> list[Json]:
    """The value of a FileUpload as pages are told it: they have the files, and show how many there are."""
    return [
        {
            "name": file["name"],
            "type": file["type"],
            "size": file["size"],
            "last_modified": int(file["last_modified"].timestamp() * 1000),
            "content": None,
        }
        for file in value
    ]


def _files(given: object, *, multiple: bool) -> list[_File]:
    if not isinstance(given, list) or not given or (len(given) > 1 and not multiple):
        raise BadMessage("an upload of no files, or of several where one is asked for")
    return list(_checked(given))


def _checked(given: list[object]) -> Iterator[_File]:
    for file in given:
        match file:
            case {
                "name": str(name),
                "type": str(kind),
                "size": int(size),
                "last_modified": int() | float() as at,
            } if size >= 0 and _EARLIEST_MS <= at <= _LATEST_MS:
                yield _File(name, kind, int(size), at, bytearray())
            case _:
                raise BadMessage("an upload of what is no file")


def _in_mb(size: int) -> str:
    return f"{size / _MB:,.1f} MB"
