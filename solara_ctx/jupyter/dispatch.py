"""What a page may ask of its kernel, and what it gets for an answer.

After https://jupyter-client.readthedocs.io/en/stable/messaging.html, of which a page needs the comms and little more.
Code that a page sends is never run.
"""

import re
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from solara_ctx.jupyter import wire
from solara_ctx.jupyter.comms import KernelComm, sever
from solara_ctx.jupyter.origins import ORIGIN
from solara_ctx.jupyter.page_widgets import check, close_companions
from solara_ctx.jupyter.report import current_page, shown
from solara_ctx.jupyter.session import IOPUB, ToPage, parent_header
from solara_ctx.jupyter.targets import CONTROL, PAGE, BadMessage
from solara_ctx.jupyter.upload import UPLOAD
from solara_ctx.jupyter.wire import Message
from solara_ctx.lifecycle import CloseCode

if TYPE_CHECKING:
    from solara_ctx.jupyter.host import KernelHost

# The targets whose comms connect one page with the kernel, and are nothing to the others.
_PRIVATE = frozenset({PAGE, CONTROL, ORIGIN, UPLOAD})
_COMM_ID_LIMIT = 256
_REQUEST = re.compile(r"([a-z_]{1,64})_request")
Json = dict[str, Any]


def receive(host: "KernelHost", page_id: str, frame: str | bytes) -> None:
    """Handle one frame of a page.  On a worker, with the kernel current.

    Never raises, whatever the page has sent and whatever the user's callbacks do.
    """
    try:
        message = wire.decode(frame, host.limits.message)
    except wire.MalformedFrame as error:
        host.reporter.malformed(error.reason)
        if host.message_log is not None:
            host.message_log.malformed(page_id, len(frame))
        sink = host.session.sinks.get(page_id)
        if sink is not None:
            sink.close(CloseCode.MALFORMED, error.word)
        return
    if host.message_log is not None:
        host.message_log.came(page_id, message, len(frame))
    host.reporter.sweep()
    parent = parent_header.set(message["header"])
    page = current_page.set(page_id)
    try:
        _handle(host, page_id, message)
    finally:
        current_page.reset(page)
        parent_header.reset(parent)
        host.printing.flush()
        sink = host.session.sinks.get(page_id)
        if sink is not None:
            sink.flush()


def _handle(host: "KernelHost", page_id: str, message: Message) -> None:
    host.session.send(IOPUB, "status", {"execution_state": "busy"})
    try:
        handler = _HANDLERS.get(message["header"]["msg_type"], _unsupported)
        handler(host, page_id, message)
    except BadMessage as error:
        host.reporter.page_fault(page_id, str(error))
    except BaseException as error:  # noqa: BLE001 - a callback may call sys.exit(), and the kernel lives on
        host.reporter.failed(error, "a message handler")
    finally:
        host.session.send(IOPUB, "status", {"execution_state": "idle"})


def _reply(host: "KernelHost", page_id: str, message: Message, msg_type: str, content: Json) -> None:
    host.session.send(ToPage(page_id, message["channel"]), msg_type, content)


def _kernel_info(host: "KernelHost", page_id: str, message: Message) -> None:
    _reply(host, page_id, message, "kernel_info_reply", {"status": "ok", **host.kernel.kernel_info})


def _comm_info(host: "KernelHost", page_id: str, message: Message) -> None:
    target = message["content"].get("target_name")
    comms = {
        comm_id: {"target_name": comm.target_name}
        for comm_id, comm in list(host.comm_manager.comms.items())
        if target is None or comm.target_name == target
    }
    _reply(host, page_id, message, "comm_info_reply", {"status": "ok", "comms": comms})


def _comm_open(host: "KernelHost", page_id: str, message: Message) -> None:
    content = _with_data(message)
    comm_id, target_name = _comm_id(content), content.get("target_name")
    manager = host.comm_manager
    if comm_id in manager.comms:
        raise BadMessage("a comm_open with the id of an open comm")
    target = manager.targets.get(target_name) if isinstance(target_name, str) else None
    if target is None or not isinstance(target_name, str):
        _close_again(host, page_id, comm_id)
        raise BadMessage(f"a comm_open for an unknown target {shown(target_name)}")
    private = target_name in _PRIVATE
    if not private and manager.opened_by_pages >= host.limits.comms:
        _close_again(host, page_id, comm_id)
        raise BadMessage(f"more comms than the {host.limits.comms} that pages may open (SOLARA_KERNEL_MAX_COMMS)")
    if private:
        host.forget_page_comms(page_id, target_name)
    if target_name == PAGE:
        # It has lost what was on its way, and so its upload, of which the kernel may have a large part.
        host.forget_page_comms(page_id, UPLOAD)
    comm = KernelComm(
        host, comm_id=comm_id, target_name=target_name, primary=False, page_id=page_id if private else None
    )
    manager.register_comm(comm)
    try:
        target(comm, message)  # type: ignore[arg-type]  # comm's MessageType is a plain dict
    except BaseException:
        comm.close()
        close_companions(comm)
        raise


def _close_again(host: "KernelHost", page_id: str, comm_id: str) -> None:
    """As ipykernel does for what it does not open, so that the page's side is not left open."""
    host.session.send(ToPage(page_id, "iopub"), "comm_close", {"comm_id": comm_id, "data": {}})


def _comm_msg(host: "KernelHost", page_id: str, message: Message) -> None:
    comm = host.comm_manager.get_comm(_comm_id(_with_data(message)))
    if comm is None:
        # Everyday's race: the page did something with a widget that is being closed.
        host.reporter.page_fault(page_id, "a comm_msg for a comm that is not open", quiet=True)
        return
    widget = host.all_widgets.get(comm.comm_id)
    if widget is not None:
        check(widget, message["content"]["data"])
    comm.handle_msg(message)  # type: ignore[arg-type]  # comm's MessageType is a plain dict


def _comm_close(host: "KernelHost", page_id: str, message: Message) -> None:
    comm_id = _comm_id(message["content"])
    comm = host.comm_manager.get_comm(comm_id)
    if comm is None:
        host.reporter.page_fault(page_id, "a comm_close for a comm that is not open", quiet=True)
        return
    widget = host.all_widgets.get(comm_id)
    if widget is not None and comm.primary:
        # The widget belongs to the kernel, and to every page of it: a page that is done with its copy does not end it.
        return
    if widget is not None:
        widget.close()
        if isinstance(comm, KernelComm):
            close_companions(comm)
        return
    comm._closed = True
    host.forget_comm(comm)
    comm.handle_close(message)  # type: ignore[arg-type]  # comm's MessageType is a plain dict
    sever(comm)


def _interrupt(host: "KernelHost", page_id: str, message: Message) -> None:
    # Messages are handled one by one: by the time that this one is read, what it may have been for has ended.  Over
    # HTTP it comes in time.
    _reply(host, page_id, message, "interrupt_reply", {"status": "ok"})


def _shutdown(host: "KernelHost", page_id: str, message: Message) -> None:
    restart = message["content"].get("restart", False) is True
    _reply(host, page_id, message, "shutdown_reply", {"status": "ok", "restart": restart})
    host.shut_down(restart=restart)


def _unsupported(host: "KernelHost", page_id: str, message: Message) -> None:
    msg_type = message["header"]["msg_type"]
    request = _REQUEST.fullmatch(msg_type)
    if request is None:
        raise BadMessage(f"a message of the unknown type {shown(msg_type)}")
    _reply(
        host,
        page_id,
        message,
        f"{request[1]}_reply",
        {
            "status": "error",
            "ename": "UnsupportedMessage",
            "evalue": f"this kernel does not answer a {msg_type}: it handles comms, and runs no code from a page",
            "traceback": [],
        },
    )


def _with_data(message: Message) -> Json:
    content = message["content"]
    if not isinstance(content.setdefault("data", {}), dict):
        raise BadMessage("a comm message whose data is not an object")
    return content


def _comm_id(content: Json) -> str:
    comm_id = content.get("comm_id")
    if not isinstance(comm_id, str) or not comm_id.isascii() or not 0 < len(comm_id) <= _COMM_ID_LIMIT:
        raise BadMessage("a comm message without a proper comm_id")
    return comm_id


_HANDLERS: MappingProxyType[str, Callable[["KernelHost", str, Message], None]] = MappingProxyType(
    {
        "kernel_info_request": _kernel_info,
        "comm_info_request": _comm_info,
        "comm_open": _comm_open,
        "comm_msg": _comm_msg,
        "comm_close": _comm_close,
        "interrupt_request": _interrupt,
        "shutdown_request": _shutdown,
    }
)
