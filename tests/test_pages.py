"""The browser pages of one kernel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solara_ctx.lifecycle import PageStatus
from solara_ctx.pages import PageTable
from tests.support.fakes import RecordingSink

CONNECTED, DISCONNECTED, CLOSED = PageStatus.CONNECTED, PageStatus.DISCONNECTED, PageStatus.CLOSED


def test_a_page_connects_and_disconnects() -> None:
    """Its status follows its connection, and says since when."""
    table, sink = PageTable(), RecordingSink()
    page, replaced = table.connect("a", sink, 1.0)
    assert (page.status, page.since, page.sink, replaced) == (CONNECTED, 1.0, sink, None)
    assert table.any_connected()
    assert table.disconnect("a", page.connection, 2.0) is page
    assert (page.status, page.since, page.sink) == (DISCONNECTED, 2.0, None)
    assert not table.any_connected()
    assert table.status == {"a": DISCONNECTED}


def test_connections_have_numbers_that_only_grow() -> None:
    """No two connections of a kernel share a number, whatever the page."""
    table = PageTable()
    numbers = [table.connect(page_id, None, 0.0)[0].connection for page_id in "abab"]
    assert numbers == sorted(set(numbers))


def test_a_late_disconnect_changes_nothing() -> None:
    """The end of an old socket, noticed after the page came back, does not take the new one away."""
    table, old, new = PageTable(), RecordingSink(), RecordingSink()
    first, _ = table.connect("a", old, 0.0)
    second, replaced = table.connect("a", new, 1.0)
    assert replaced is old
    assert table.disconnect("a", first.connection, 2.0) is None
    assert (second.status, second.sink, second.since) == (CONNECTED, new, 1.0)
    assert table.disconnect("a", second.connection, 3.0) is second


def test_no_number_means_the_newest_connection() -> None:
    """Who does not know its number speaks of what is there."""
    table = PageTable()
    table.connect("a", None, 0.0)
    page, _ = table.connect("a", None, 0.0)
    assert table.disconnect("a", None, 1.0) is page


def test_unknown_pages_are_harmless() -> None:
    """A disconnect or a beacon of a page that never connected is no news."""
    table = PageTable()
    assert table.disconnect("a", None, 0.0) is None
    assert table.disconnect("a", 7, 0.0) is None
    assert table.close("a", 0.0) is False
    assert table.get("a") is None
    assert table.status == {}
    assert not table.all_closed()


def test_a_closed_page_is_news_once() -> None:
    """A second beacon says nothing new, and a disconnect after it does not bring the page back to life."""
    table, sink = PageTable(), RecordingSink()
    page, _ = table.connect("a", sink, 0.0)
    assert table.close("a", 1.0) is True
    assert table.close("a", 2.0) is False
    assert (page.status, page.since) == (CLOSED, 1.0)
    assert table.disconnect("a", page.connection, 3.0) is page
    assert (page.status, page.since, page.sink) == (CLOSED, 1.0, None)
    assert table.all_closed()


def test_a_closed_page_may_come_back() -> None:
    """A page that the browser has restored connects like any other."""
    table = PageTable()
    table.connect("a", None, 0.0)
    table.close("a", 1.0)
    page, _ = table.connect("a", None, 2.0)
    assert page.status is CONNECTED
    assert not table.all_closed()


def test_all_closed_needs_every_page() -> None:
    """One page that is only disconnected may come back."""
    table = PageTable()
    for page_id in "ab":
        table.connect(page_id, None, 0.0)
    table.close("a", 1.0)
    table.disconnect("b", None, 1.0)
    assert not table.all_closed()
    table.close("b", 2.0)
    assert table.all_closed()


def test_status_is_a_snapshot_that_cannot_be_changed() -> None:
    """It shows the moment at which it was asked for."""
    table = PageTable()
    table.connect("a", None, 0.0)
    status = table.status
    table.close("a", 1.0)
    assert status == {"a": CONNECTED}
    with pytest.raises(TypeError):
        status["a"] = CLOSED  # type: ignore[index]


def test_look_counts_everything_at_once() -> None:
    """Pages by status, and what waits for them, also for a page that has said goodbye."""
    table, sink = PageTable(), RecordingSink()
    sink.put("12345")
    for page_id in "abcd":
        table.connect(page_id, sink if page_id in "ad" else None, 0.0)
    table.disconnect("b", None, 1.0)
    table.close("c", 1.0)
    table.close("d", 1.0)
    assert table.look() == (1, 1, 2, 2, 10, 6)


def test_taking_the_sinks_leaves_none() -> None:
    """Each sink is given away once."""
    table, sink = PageTable(), RecordingSink()
    table.connect("a", sink, 0.0)
    table.connect("b", None, 0.0)
    assert table.take_sinks() == [sink]
    assert table.take_sinks() == []


def connected(table: PageTable, page_id: str, now: float) -> list[str]:
    """Connect a page as `Presence` does; the pages that were forgotten for it."""
    table.connect(page_id, None, now)
    return [page.page_id for page in table.forget_some()]


def test_invented_page_ids_do_not_grow_the_table() -> None:
    """Of many pages the oldest closed ones are forgotten first, then disconnected ones; connected ones never."""
    table = PageTable()
    connected(table, "lost", 0.0)
    table.disconnect("lost", None, 0.0)
    for number in range(63):
        assert connected(table, f"closed-{number}", 0.0) == []
        table.close(f"closed-{number}", 0.0)
    assert len(table.status) == 64
    for number in range(63):
        assert connected(table, f"new-{number}", 1.0) == [f"closed-{number}"]
    assert len(table.status) == 64
    assert connected(table, "one more", 2.0) == ["lost"]
    assert connected(table, "and another", 2.0) == []
    assert len(table.status) == 65
    assert set(table.status.values()) == {CONNECTED}


def test_a_sink_that_keeps_is_its_pages_until_the_page_is_closed() -> None:
    """Through any number of connections; one that does not keep goes with its connection."""
    table, keeping, plain = PageTable(), RecordingSink(), RecordingSink()
    keeping.outlives_connection = True
    for page_id, sink, kept in (("a", keeping, keeping), ("b", plain, None)):
        page, _ = table.connect(page_id, sink, 0.0)
        table.disconnect(page_id, page.connection, 1.0)
        assert page.sink is kept
    page, replaced = table.connect("a", keeping, 2.0)
    assert replaced is keeping
    table.disconnect("a", page.connection, 3.0)
    table.close("a", 4.0)
    assert page.sink is None


def test_the_end_of_a_connection_takes_the_sink_of_a_closed_page() -> None:
    """Which has said so before: until then it hears the rest."""
    table, keeping = PageTable(), RecordingSink()
    keeping.outlives_connection = True
    page, _ = table.connect("a", keeping, 0.0)
    table.close("a", 1.0)
    assert page.sink is keeping
    table.disconnect("a", page.connection, 2.0)
    assert page.sink is None


OPERATIONS = st.tuples(
    st.sampled_from(["connect", "disconnect", "late", "close"]), st.sampled_from("abc"), st.integers(0, 30)
)


@given(st.lists(OPERATIONS, max_size=60))
def test_any_history_only_the_newest_connection_counts(history: list[tuple[str, str, int]]) -> None:
    """Compared with a dict: stale numbers never change a status."""
    table, model, newest, seen = PageTable(), dict[str, PageStatus](), dict[str, int](), list[tuple[str, int]]()
    for what, page_id, pick in history:
        if what == "connect":
            newest[page_id] = table.connect(page_id, None, 0.0)[0].connection
            seen.append((page_id, newest[page_id]))
            model[page_id] = CONNECTED
        elif what == "disconnect":
            table.disconnect(page_id, newest.get(page_id), 0.0)
            if model.get(page_id) is CONNECTED:
                model[page_id] = DISCONNECTED
        elif what == "late" and seen:
            late_id, number = seen[pick % len(seen)]
            if number != newest[late_id]:
                assert table.disconnect(late_id, number, 0.0) is None
        elif what == "close":
            assert table.close(page_id, 0.0) is (model.get(page_id) in {CONNECTED, DISCONNECTED})
            if page_id in model:
                model[page_id] = CLOSED
        assert table.status == model
        assert table.any_connected() is (CONNECTED in model.values())
        assert table.all_closed() is (set(model.values()) == {CLOSED})
