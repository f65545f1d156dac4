"""The browser pages of one kernel: who is connected, by which connection, since when.  Loop only."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from solara_ctx.lifecycle import PageStatus
from solara_ctx.ports import Sink

# A client that invents page ids must not make the table of its kernel grow without end.
_REMEMBERED_PAGES = 64


@dataclass(eq=False, slots=True, weakref_slot=True)
class Page:
    """One browser page; `connection` numbers its connections, and the newest one counts."""

    page_id: str
    status: PageStatus
    since: float
    connection: int
    sink: Sink | None


class PageCounts(NamedTuple):
    """How many pages of a kernel are in each status, and what is there for them."""

    connected: int
    disconnected: int
    closed: int
    outbox_frames: int
    outbox_bytes: int
    replay_bytes: int


class PageTable:
    """Pages by id, with one number per connection.

    A disconnect that does not name the newest connection of its page changes nothing: the end of an old socket may
    be noticed long after the page has come back on a new one.
    """

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self._connections = itertools.count(1)

    @property
    def status(self) -> Mapping[str, PageStatus]:
        """Status by page id, as it is now."""
        return MappingProxyType({page.page_id: page.status for page in self._pages.values()})

    def look(self) -> "PageCounts":
        """Everything that can be counted, in one pass."""
        connected = disconnected = closed = frames = waiting = kept = 0
        for page in self._pages.values():
            if page.status is PageStatus.CONNECTED:
                connected += 1
            elif page.status is PageStatus.DISCONNECTED:
                disconnected += 1
            else:
                closed += 1
            if page.sink is not None:
                frames += page.sink.queued_frames
                waiting += page.sink.queued_bytes
                kept += page.sink.replay_bytes
        return PageCounts(connected, disconnected, closed, frames, waiting, kept)

    def get(self, page_id: str) -> Page | None:
        """The page of that id, if it was ever seen and not yet forgotten."""
        return self._pages.get(page_id)

    def connect(self, page_id: str, sink: Sink | None, now: float) -> tuple[Page, Sink | None]:
        """A connection of that page begins.

        Returns:
            The page, and the sink of the connection that this one replaces.
        """
        page = self._pages.pop(page_id, None)
        replaced = page.sink if page is not None else None
        page = Page(page_id, PageStatus.CONNECTED, now, next(self._connections), sink)
        self._pages[page_id] = page
        return page, replaced

    def disconnect(self, page_id: str, connection: int | None, now: float) -> Page | None:
        """A connection has ended; `connection=None` means the newest.

        Returns:
            The page whose newest connection it was, `None` if the past is speaking.
        """
        page = self._pages.get(page_id)
        if page is None or connection not in {None, page.connection}:
            return None
        if page.status is PageStatus.CONNECTED:
            page.status, page.since = PageStatus.DISCONNECTED, now
        if page.status is PageStatus.CLOSED or page.sink is None or not page.sink.outlives_connection:
            page.sink = None
        return page

    def close(self, page_id: str, now: float) -> bool:
        """The page said that it is gone.

        Returns:
            Whether that is news.
        """
        page = self._pages.get(page_id)
        if page is None or page.status is PageStatus.CLOSED:
            return False
        if page.status is PageStatus.DISCONNECTED:
            page.sink = None  # what was kept for it; that of a connection ends with this
        page.status, page.since = PageStatus.CLOSED, now
        return True

    def all_closed(self) -> bool:
        """Whether there were pages, and every one of them has said that it is gone."""
        return bool(self._pages) and all(page.status is PageStatus.CLOSED for page in self._pages.values())

    def any_connected(self) -> bool:
        """Whether a page is connected."""
        return any(page.status is PageStatus.CONNECTED for page in self._pages.values())

    def take_sinks(self) -> list[Sink]:
        """Every sink that is still there; the table forgets them."""
        sinks = [page.sink for page in self._pages.values() if page.sink is not None]
        for page in self._pages.values():
            page.sink = None
        return sinks

    def forget_some(self) -> list[Page]:
        """Forget what is over the number of pages that are remembered: those that are closed, and then those that have
        no connection.

        Returns:
            The pages that were forgotten.
        """
        forgotten: list[Page] = []
        for status in (PageStatus.CLOSED, PageStatus.DISCONNECTED):
            for page in list(self._pages.values()):
                if len(self._pages) <= _REMEMBERED_PAGES:
                    return forgotten
                if page.status is status:
                    forgotten.append(self._pages.pop(page.page_id))
        return forgotten
