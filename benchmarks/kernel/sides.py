"""Kernels made and closed in this very process: no server, no page, no widget.  Each side in a process of its own."""

import asyncio
import importlib
import logging
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_SESSION = "0123456789abcdef0123456789abcdef"


class Side(ABC):
    """A way to have kernels."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For as long as kernels are made."""
        yield

    @abstractmethod
    async def open(self) -> object:
        """Make one."""

    @abstractmethod
    async def close(self, kernel: object) -> None:
        """Close it, and wait until that is done."""


class Floor(Side):
    """What nobody can go below who uses ipykernel as it is: its `Kernel` and a `Session`, made and dropped."""

    def __init__(self) -> None:
        from ipykernel.kernelbase import Kernel  # noqa: PLC0415 - each side imports what it measures, and nothing else
        from jupyter_client.session import Session  # noqa: PLC0415

        logging.getLogger("traitlets").disabled = True  # that nothing is signed, each time
        self._make = lambda: Kernel(session=Session(key=b""))  # type: ignore[no-untyped-call]

    async def open(self) -> object:
        """Make one."""
        return self._make()  # type: ignore[no-untyped-call]

    async def close(self, kernel: object) -> None:
        """Nothing: it is dropped."""


class Ours(Side):
    """A page that has connected, whose page function returns nothing."""

    def __init__(self) -> None:
        from solara_ctx import KernelApp  # noqa: PLC0415

        self._page = lambda: None
        self._app = KernelApp(self._page)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The service's life."""
        async with self._app.lifespan():
            yield

    async def open(self) -> object:
        """Issue an id and connect a page to it."""
        registry = self._app.registry
        connection = registry.connect(registry.issue(_SESSION), _SESSION, "page", sink=None, page=self._page)
        return connection.context

    async def close(self, kernel: object) -> None:
        """Through all steps, to the closed event."""
        await kernel.aclose()  # type: ignore[attr-defined]


class Solara(Side):
    """What its server does when a page's websocket connects, up to the first message."""

    def __init__(self) -> None:
        importlib.import_module("solara.server.app")  # first: the others import each other in a circle
        from solara.server import kernel_context, patch  # noqa: PLC0415
        from solara.server.websocket import WebsocketWrapper  # noqa: PLC0415

        class NoWebsocket(WebsocketWrapper):  # type: ignore[misc]
            """A page that hears nothing."""

            def send_text(self, data: str) -> None:
                """Drop it."""

            def send_bytes(self, data: bytes) -> None:
                """Drop it."""

            def close(self) -> None:
                """Nothing to close."""

            def receive(self) -> str:
                """Never asked."""
                raise NotImplementedError

        patch.patch()
        self._contexts = kernel_context
        self._websocket = NoWebsocket

    async def open(self) -> object:
        """Make a context and connect a page to it; on a thread, as its server does."""
        return await asyncio.to_thread(self._open)

    async def close(self, kernel: object) -> None:
        """The page goes for good, and its context with it."""
        await asyncio.to_thread(kernel.close)  # type: ignore[attr-defined]

    def _open(self) -> object:
        return self._contexts.initialize_virtual_kernel(_SESSION, str(uuid.uuid4()), self._websocket())


SIDES: dict[str, type[Side]] = {"floor": Floor, "solara_ctx": Ours, "Solara": Solara}
