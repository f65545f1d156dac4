"""Files come in pieces, and a FileUpload has them as upstream's."""

import datetime as dt
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from ipywidgets import FileUpload, Label
from ipywidgets.widgets.widget_upload import _deserialize_value

from solara_ctx.jupyter import PageLimits
from solara_ctx.jupyter.upload import UPLOAD
from tests.support.kernels import Page, StandInContext, fail, message_of, patched, types_of

Json = dict[str, Any]


@pytest.fixture
def kernel() -> Iterator[StandInContext]:
    """A kernel that takes ten bytes at a time."""
    with patched():
        context = StandInContext(limits=PageLimits(upload=10))
        yield context
        context.close()


@pytest.fixture
def upload(kernel: StandInContext) -> FileUpload:
    """The widget."""
    return kernel.run(FileUpload, multiple=True)


def file(size: int, name: str = "a.txt", **more: object) -> Json:
    return {"name": name, "type": "text/plain", "size": size, "last_modified": 1_500, **more}


def begin(page: Page, widget: FileUpload, *files: Json, comm: str = "up") -> list[Json]:
    """Open the comm; what the page is told."""
    return told(page.open(UPLOAD, comm, {"widget": widget.model_id, "files": list(files)}))


def say(page: Page, offset: object, *pieces: bytes, comm: str = "up") -> list[Json]:
    """Send a piece; what the page is told."""
    frame = message_of("comm_msg", {"comm_id": comm, "data": {"offset": offset}})
    page.send_parts(frame, pieces)
    return told(page.heard())


def told(messages: list[Json]) -> list[Json]:
    return [
        message["content"].get("data") or {"closed": True}
        for message in messages
        if message["content"].get("comm_id", "").startswith("up")
    ] + [{"error": True} for message in messages if message["header"]["msg_type"] == "error"]


def test_files_come_in_pieces(upload: FileUpload, page: Page) -> None:
    """A piece may be of several files; the widget has them once all are there, as upstream's has them."""
    upload.error = "an old one"
    assert begin(page, upload, file(3), file(0, "empty"), file(5, "b")) == [{"status": "ready"}]
    assert say(page, 0, b"ab") == [{"received": 2}]
    assert say(page, 2, b"cdefg") == [{"received": 7}]
    assert upload.value == ()
    assert say(page, 7, b"h") == [{"received": 8}, {"status": "done"}]
    first, empty, second = upload.value
    assert [bytes(one.content) for one in (first, empty, second)] == [b"abc", b"", b"defgh"]
    assert isinstance(first.content, memoryview)
    assert first.content.readonly
    assert (first["name"], first["type"], first["size"]) == ("a.txt", "text/plain", 3)
    assert first.last_modified == dt.datetime.fromtimestamp(1.5, dt.UTC)
    assert upload.error == ""


def test_an_empty_file_is_there_at_once(upload: FileUpload, page: Page) -> None:
    """There is no piece of it."""
    assert begin(page, upload, file(0)) == [{"status": "ready"}, {"status": "done"}]
    assert bytes(upload.value[0].content) == b""


def test_pages_are_not_sent_the_content(upload: FileUpload, kernel: StandInContext, page: Page) -> None:
    """Neither the page that has sent it, nor another, nor one that connects later; outside of kernels, it is."""
    second = Page(kernel, "page-2")
    begin(page, upload, file(3))
    second.heard()
    say(page, 0, b"abc")
    expected = file(3, content=None)
    (update,) = [m["content"]["data"]["state"] for m in second.heard() if m["header"]["msg_type"] == "comm_msg"]
    assert update["value"] == [expected]
    assert page.states()[upload.model_id]["state"]["value"] == [expected]
    alone = FileUpload()
    alone.value = _deserialize_value([file(3, content=b"abc")], None)
    assert alone.get_state()["value"] == [file(3, content=b"abc")]


def test_a_page_that_sends_all_at_once_is_heard(upload: FileUpload, page: Page) -> None:
    """As upstream's do."""
    state = {"value": [file(3)]}
    data = {"method": "update", "state": state, "buffer_paths": [["value", 0, "content"]]}
    page.send_parts(message_of("comm_msg", {"comm_id": upload.model_id, "data": data}), [b"abc"])
    assert bytes(upload.value[0].content) == b"abc"


def test_too_much_is_refused_in_words(upload: FileUpload, page: Page, kernel: StandInContext) -> None:
    """At the limit it is not; all that are under way count together; what was there before stays."""
    begin(page, upload, file(1))
    say(page, 0, b"x")
    (refused,) = begin(page, upload, file(11))
    assert refused["status"] == "refused"
    assert "takes 0.0 MB at most" in refused["reason"]
    assert begin(page, upload, file(10)) == [{"status": "ready"}]
    second = Page(kernel, "page-2")
    (refused,) = begin(second, upload, file(1), comm="up-2")
    assert "under way" in refused["reason"]
    # Of one page, a new upload takes the place of the old one.
    assert begin(page, upload, file(9), comm="up-3") == [{"status": "ready"}]
    assert begin(second, upload, file(1), comm="up-4") == [{"status": "ready"}]
    assert bytes(upload.value[0].content) == b"x"


def test_who_changes_his_mind(upload: FileUpload, page: Page) -> None:
    """What has come so far is forgotten, at once."""
    begin(page, upload, file(10))
    say(page, 0, b"12345")
    assert told(page.say("up", {"stop": True})) == [{"status": "stopped"}]
    assert begin(page, upload, file(10)) == [{"status": "ready"}]
    page.ask("comm_close", {"comm_id": "up", "data": {}})
    assert upload.value == ()
    assert begin(page, upload, file(10)) == [{"status": "ready"}]


@pytest.mark.parametrize(
    ("offset", "pieces"),
    [(0, [b"ab"]), (3, [b"ab"]), (None, [b"ab"]), (2, []), (2, [b"a", b"b"]), (2, [b""]), (2, [b"123456789"])],
)
def test_a_piece_that_is_not_the_next_one(upload: FileUpload, page: Page, offset: object, pieces: list[bytes]) -> None:
    """Ends the upload; the page is told, and the widget keeps what it had."""
    begin(page, upload, file(10))
    say(page, 0, b"12")
    assert say(page, offset, *pieces) == [{"closed": True}, {"error": True}]
    assert upload.value == ()


BAD_FILES: list[Any] = [
    None,
    [],
    "files",
    [None],
    [{"name": "a"}],
    [file(-1)],
    [file(1, last_modified=-1e300)],
    [file(1, last_modified=1e300)],
    [file(1, type=None)],
    [{**file(1), "size": 1.5}],
    [{**file(1), "name": 1}],
]


@pytest.mark.parametrize("files", BAD_FILES)
def test_what_are_no_files(upload: FileUpload, page: Page, files: object) -> None:
    """An error for the page, and nothing else."""
    messages = page.open(UPLOAD, "up", {"widget": upload.model_id, "files": files})
    assert types_of(messages) == ["comm_close", "error"]


def test_what_is_no_upload_widget(kernel: StandInContext, page: Page) -> None:
    """Nor is one that takes one file to be given two."""
    label, single = kernel.run(Label), kernel.run(FileUpload)
    page.heard()
    for widget in (label.model_id, "unknown", None):
        messages = page.open(UPLOAD, "up", {"widget": widget, "files": [file(1)]})
        assert types_of(messages) == ["comm_close", "error"]
    assert begin(page, single, file(1), file(1)) == [{"closed": True}, {"error": True}]
    assert begin(page, single, file(1)) == [{"status": "ready"}]


def test_an_observer_that_fails(upload: FileUpload, page: Page, caplog: pytest.LogCaptureFixture) -> None:
    """Is an error of the user's code; the files are there."""
    upload.observe(fail, "value")
    begin(page, upload, file(1))
    assert say(page, 0, b"x") == [{"received": 1}, {"status": "done"}, {"error": True}]
    assert len(upload.value) == 1
    assert "a message handler of kernel" in caplog.text


def test_a_widget_that_is_closed_meanwhile(upload: FileUpload, kernel: StandInContext, page: Page) -> None:
    """The files go nowhere, and keep nothing."""
    begin(page, upload, file(1))
    kernel.run(upload.close)
    assert say(page, 0, b"x") == [{"received": 1}, {"status": "done"}]


def test_nothing_is_kept(kernel: StandInContext, page: Page) -> None:
    """Content goes with its widget, what has come of an upload with its comm, by reference counting."""
    upload = kernel.run(FileUpload)
    begin(page, upload, file(1))
    say(page, 0, b"x")
    content = weakref.ref(upload.value[0])
    begin(page, upload, file(10))
    say(page, 0, b"12345")
    comm = weakref.ref(kernel.living_host.comm_manager.comms["up"])
    gc.disable()
    try:
        del upload
        kernel.close()
        assert (content(), comm()) == (None, None)
    finally:
        gc.enable()


def test_a_widget_and_a_comm_that_are_gone(kernel: StandInContext, page: Page) -> None:
    """The last piece of an upload may find nobody."""
    upload = kernel.run(FileUpload)
    begin(page, upload, file(1))
    kernel.run(upload.close)
    callback = kernel.living_host.comm_manager.comms["up"]._msg_callback
    assert callback is not None
    callback.func(lambda: None, {})  # type: ignore[attr-defined]
    dead = weakref.ref(upload)
    kernel.run(kernel.living_host.close_widgets)
    del upload
    assert dead() is None
    assert say(page, 0, b"x") == []


def test_what_a_page_has_lost_is_forgotten(upload: FileUpload, kernel: StandInContext, page: Page) -> None:
    """A page that asks once more what to show has given its upload up; that of another page goes on."""
    second = Page(kernel, "page-2")
    begin(page, upload, file(4))
    begin(second, upload, file(4), comm="up2")
    say(page, 0, b"ab")
    say(second, 0, b"ab", comm="up2")
    running = kernel.living_host.comm_manager.comms
    part = weakref.ref(running["up"])
    page.open("solara_ctx.page", "again")
    assert "up" not in running
    assert part() is None
    assert say(second, 2, b"cd", comm="up2")[-1] == {"status": "done"}


def test_a_file_may_be_older_than_computers_count(upload: FileUpload, page: Page) -> None:
    """Archives have such."""
    assert begin(page, upload, file(1, last_modified=-86_400_000)) == [{"status": "ready"}]
    say(page, 0, b"a")
    assert upload.value[0].last_modified == dt.datetime(1969, 12, 31, tzinfo=dt.UTC)
