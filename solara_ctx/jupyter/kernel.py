"""The ipykernel kernel of one page: an identity, and where kernel code finds session, comms and shell.  No sockets."""

import contextvars
import platform
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ipykernel._version import __version__, kernel_protocol_version
from ipykernel.kernelbase import Kernel

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

    @classmethod
    def make(cls, host: "KernelHost", session: KernelSession) -> "HostedKernel":
        """Make the kernel of *host*, which it refers to weakly."""
        # ipykernel makes two ContextVars per kernel, sets them where the constructor runs and keeps a copy of the
        # whole context: all of that goes into a context that nobody else has.
        kernel = contextvars.Context().run(cls, session=session, iopub_socket=IOPUB)
        kernel._host = weakref.ref(host)
        return kernel

    _host: "weakref.ref[KernelHost] | None" = None

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
    def kernel_info(self) -> dict[str, Any]:
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

    def set_parent(self, ident: object, parent: Mapping[str, Any], channel: str = "shell") -> None:  # noqa: ARG002
        """Make *parent* the message that is being handled here."""
        parent_header.set(parent.get("header") or {})

    def get_parent(self, channel: str | None = None) -> dict[str, Any]:  # noqa: ARG002
        """The message that is being handled here, its header that is; empty when there is none."""
        header = parent_header.get()
        return {"header": dict(header)} if header else {}

    def sever(self) -> None:
        """Drop what upstream ties into cycles: bound methods of the kernel in tables of the kernel."""
        self.shell_handlers.clear()
        self.control_handlers.clear()
        self._parent_ident = {}
        self._host = None
        self.session = None
