"""Who is there: the pages of a kernel, their ways to it, and the cull when none is connected.  Loop only."""

import asyncio

from solara_ctx.lifecycle import CloseCode, PageStatus
from solara_ctx.owner import Owner
from solara_ctx.pages import PageTable
from solara_ctx.ports import Host, Sink


class Presence:
    """The pages of one kernel, and since when somebody is there or nobody is."""

    def __init__(self, kernel_id: str, owner: Owner) -> None:
        self._kernel_id = kernel_id
        self._owner = owner
        self.table = PageTable()
        """The pages, by id."""
        self.since = owner.clock.now()
        """When the first page has connected, or the last one has gone: a time on the owner's clock."""
        self._over = False

    def connect(self, page_id: str, sink: Sink | None, host: Host) -> int:
        """A connection begins: forget the cull, and let *host* send to *sink* instead of to the page's last one.

        Returns:
            The number of the connection.
        """
        self._owner.cancel_cull(self._kernel_id)
        now = self._owner.clock.now()
        if not self.table.any_connected():
            self.since = now
        page, replaced = self.table.connect(page_id, sink, now)
        if replaced is not None and replaced is not sink:
            host.disconnect(page_id, replaced)
            replaced.close(CloseCode.REPLACED, "replaced")
        if sink is not None and replaced is not sink:
            host.connect(page_id, sink)
        for forgotten in self.table.forget_some():
            _drop(forgotten.page_id, forgotten.sink, host)
        return page.connection

    def disconnect(self, page_id: str, connection: int | None, host: Host | None) -> "asyncio.Future[None]":
        """A connection has ended.

        Returns:
            Done when the cull that this has led to has run, or at once where it leads to none.
        """
        sink = self.sink_of(page_id)
        page = self.table.disconnect(page_id, connection, self._owner.clock.now())
        if page is not None and page.sink is not sink:
            _drop(page_id, sink, host)
        # One that was closed by its page before has led to what it leads to.
        if page is not None and page.status is PageStatus.DISCONNECTED:
            return self._one_has_left()
        return self._nothing_to_wait_for()

    def sink_of(self, page_id: str) -> Sink | None:
        """Where frames for that page go, if they go anywhere."""
        page = self.table.get(page_id)
        return None if page is None else page.sink

    def close(self, page_id: str, host: Host | None) -> bool:
        """A page is gone for good.

        Returns:
            Whether it was the last of them: whether there is nobody to wait for.
        """
        was_there = self.table.any_connected()
        sink = self.sink_of(page_id)
        if not self.table.close(page_id, self._owner.clock.now()):
            return False
        if self.sink_of(page_id) is not sink:
            _drop(page_id, sink, host)
        if self.table.all_closed():
            return True
        if was_there:
            # Only then: the cull of a page that has left earlier must not be put off by the end of another.
            _ = self._one_has_left()
        return False

    def end_connections(self, reason: str) -> None:
        """Send every page away."""
        code = CloseCode.for_reason(reason)
        for sink in self.table.take_sinks():
            sink.close(code, reason)

    def stop_culling(self) -> None:
        """The kernel closes: there will be no cull any more."""
        self._over = True
        self._owner.cancel_cull(self._kernel_id)

    def seconds_to_cull(self) -> float | None:
        """For how long the kernel is kept if nobody comes; `None` if no cull is due."""
        return self._owner.seconds_to_cull(self._kernel_id)

    def _one_has_left(self) -> "asyncio.Future[None]":
        if self.table.any_connected():
            return self._nothing_to_wait_for()
        self.since = self._owner.clock.now()
        return self._nothing_to_wait_for() if self._over else self._owner.schedule_cull(self._kernel_id)

    def _nothing_to_wait_for(self) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = self._owner.loop.create_future()
        future.set_result(None)
        return future


def _drop(page_id: str, sink: Sink | None, host: Host | None) -> None:
    """Nothing goes to that page any more."""
    if sink is None:
        return
    if host is not None:
        host.disconnect(page_id, sink)
    if sink.outlives_connection:
        sink.close(CloseCode.DONE, "closed")
