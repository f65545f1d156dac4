"""The ipykernel kernel of one page: an identity, and where kernel code finds session, comms and shell.  No sockets."""

import contextvars
import platform
import sys
import weakref
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any as Anything

from ipykernel._version import __version__, kernel_protocol_version
from ipykernel.kernelbase import Kernel
from traitlets import Any

from solara_ctx.jupyter.session import IOPUB, KernelSession, parent_header

if TYPE_CHECKING:
    from solara_ctx.jupyter.comms import KernelCommManager
    from solara_ctx.jupyter.host import KernelHost
    from solara_ctx.jupyter.shell import KernelShell


class HostedKernel(Kernel):
    """A kernel without an event loop of its own: the host handles messages, `session.send` reaches the pages.

    Not `IPythonKernel`, which comes with a shell, a debugger and subshells.
    """

    implementation = "solara_ctx"
    implementation_version = __version__
    banner = "A virtual kernel of solara_ctx: comms only, code is not executed"
    language_info: dict[str, object] = {  # noqa: RUF012 - upstream's declaration
        "name": "python",
        "version": platform.python_version(),
        "mimetype": "text/x-python",
        "codemirror_mode": {"name": "ipython", "version": 3},
        "pygments_lexer": "ipython3",
        "nbconvert_exporter": "python",
        "file_extension": ".py",
    }

    iopub_socket = Any(IOPUB)

    # What upstream's constructor makes for each kernel, and what only its own handling of messages uses. ContextVars
    # above all are never freed from the contexts that they were once set in.
    _shell_parent = contextvars.ContextVar[dict[str, Anything]]("solara_ctx.shell_parent")
    _shell_parent_ident = contextvars.ContextVar[bytes]("solara_ctx.shell_parent_ident", default=b"")
    _shell_context = contextvars.Context()
    _parent_ident: Mapping[str, bytes] = MappingProxyType({"shell": b"", "control": b""})
    _do_exec_accepted_params: Mapping[str, bool] = MappingProxyType({"cell_meta": False, "cell_id": False})
    _stdout, _stderr = sys.stdout, sys.stderr
    shell_handlers: dict[str, Anything] = {}  # noqa: RUF012 - stays empty: the messages of pages go to `dispatch`
    control_handlers: dict[str, Anything] = {}  # noqa: RUF012 - the same

    def __init__(self, host: "KernelHost", session: KernelSession) -> None:
        # Not upstream's: it takes 0.1 ms and 5 KB, and ties the kernel into cycles.
        self._host: weakref.ref[KernelHost] | None = weakref.ref(host)
        self.session = session

    @property
    def shell(self) -> "KernelShell | None":
        """The IPython shell, made on first use; `None` once the kernel is closed."""
        host = None if self._host is None else self._host()
        return None if host is None or host.closed else host.shell

    @property
    def comm_manager(self) -> "KernelCommManager | None":
        """The comms of this kernel; `None` once it is closed."""
        host = None if self._host is None else self._host()
        return None if host is None else host.comm_manager

    @property
    def kernel_info(self) -> dict[str, Anything]:
        """The answer to a `kernel_info_request`.  Upstream's imports a debugger to know whether there is one."""
        return {
            "protocol_version": kernel_protocol_version,
            "implementation": self.implementation,
            "implementation_version": self.implementation_version,
            "language_info": self.language_info,
            "banner": self.banner,
            "help_links": [],
            "supported_features": [],
        }

    def set_parent(self, ident: object, parent: Mapping[str, Anything], channel: str = "shell") -> None:  # noqa: ARG002
        """Make *parent* the message that is being handled here."""
        parent_header.set(parent.get("header") or {})

    def get_parent(self, channel: str | None = None) -> dict[str, Anything]:  # noqa: ARG002
        """The message that is being handled here, its header that is; empty when there is none."""
        header = parent_header.get()
        return {"header": dict(header)} if header else {}

    def sever(self) -> None:
        """Forget host and session."""
        self._host = None
        self.session = None
