"""What a page may ask, what it gets, and that nothing it sends does harm."""

import json
import logging
import threading
from typing import Any

import comm
import ipywidgets as widgets
import pytest
import traitlets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.trait_types import InstanceDict

from solara_ctx.jupyter import PageLimits
from tests.support.kernels import Page, StandInContext, every_core_widget, fail, message_of, patched, request, types_of


def errors(messages: list[dict[str, Any]]) -> list[str]:
    return [message["content"]["evalue"] for message in messages if message["header"]["msg_type"] == "error"]


def test_kernel_info_is_answered_to_the_page_that_asked(kernel: StandInContext, page: Page) -> None:
    """The reply goes to one page, on the channel it asked on; the others hear busy and idle."""
    other = Page(kernel, "page-2")
    (reply,) = page.ask("kernel_info_request", channel="control")
    assert (reply["channel"], reply["header"]["msg_type"]) == ("control", "kernel_info_reply")
    assert reply["content"]["status"] == "ok"
    assert reply["content"]["protocol_version"].startswith("5.")
    assert reply["content"]["language_info"]["name"] == "python"
    assert {"implementation", "implementation_version", "banner", "help_links"} <= reply["content"].keys()
    assert [message["content"] for message in other.heard(statuses=True)] == [
        {"execution_state": "busy"},
        {"execution_state": "idle"},
    ]


def test_busy_reply_and_idle_name_the_request(kernel: StandInContext, page: Page) -> None:
    """Busy, whatever the request causes, and idle carry its header as their parent, in this order."""
    frame = request("kernel_info_request")
    page.send_frame(frame)
    messages = page.heard(statuses=True)
    assert [message["header"]["msg_type"] for message in messages] == ["status", "kernel_info_reply", "status"]
    assert [message["content"].get("execution_state") for message in messages] == ["busy", None, "idle"]
    assert all(message["parent_header"] == json.loads(frame)["header"] for message in messages)


def test_what_a_callback_sends_names_the_request(kernel: StandInContext, page: Page) -> None:
    """An update that a click causes has the click's message as its parent; one from elsewhere has none."""
    button, label = kernel.run(lambda: (widgets.Button(), widgets.Label()))
    kernel.run(button.on_click, lambda _: setattr(label, "value", "clicked"))
    page.heard()
    (update,) = page.say(button.model_id, {"method": "custom", "content": {"event": "click"}})
    assert update["parent_header"]["msg_type"] == "comm_msg"
    kernel.run(setattr, label, "value", "later")
    assert [message["parent_header"] for message in page.heard()] == [{}]


def test_comm_info_lists_open_comms(kernel: StandInContext, page: Page) -> None:
    """All of them, or those of one target."""
    slider = kernel.run(widgets.IntSlider)
    page.open("solara_ctx.page", "the-page")
    (everything,) = page.ask("comm_info_request")[-1:]
    assert {"the-page", slider.model_id} <= everything["content"]["comms"].keys()
    (pages,) = page.ask("comm_info_request", {"target_name": "solara_ctx.page"})
    assert pages["content"] == {"status": "ok", "comms": {"the-page": {"target_name": "solara_ctx.page"}}}


def test_interrupt_is_acknowledged(page: Page) -> None:
    """It is answered, and interrupts nobody else's work."""
    (reply,) = page.ask("interrupt_request", channel="control")
    assert (reply["header"]["msg_type"], reply["content"]) == ("interrupt_reply", {"status": "ok"})


@pytest.mark.parametrize("restart", [True, False])
def test_shutdown_is_acknowledged_and_passed_on(kernel: StandInContext, page: Page, restart: bool) -> None:
    """The page is answered first; whoever owns the kernel is told whether a fresh one is to follow."""
    (reply,) = page.ask("shutdown_request", {"restart": restart}, channel="control")
    assert (reply["header"]["msg_type"], reply["content"]) == ("shutdown_reply", {"status": "ok", "restart": restart})
    assert kernel.shutdowns == [restart]


@pytest.mark.parametrize(
    "request_type",
    ["execute", "complete", "inspect", "history", "is_complete", "connect", "debug", "usage", "create_subshell"],
)
def test_anything_else_gets_an_error_reply(page: Page, request_type: str) -> None:
    """Code is never run; the reply names what was asked."""
    (reply,) = page.ask(f"{request_type}_request", {"code": "1/0", "silent": False})
    assert reply["header"]["msg_type"] == f"{request_type}_reply"
    assert reply["content"]["status"] == "error"
    assert reply["content"]["ename"] == "UnsupportedMessage"
    assert f"{request_type}_request" in reply["content"]["evalue"]


@pytest.mark.parametrize("msg_type", ["input_reply", "status", "x", "UPPER_request", "a" * 65 + "_request", "\x1b[1m"])
def test_what_is_no_request_gets_an_error(page: Page, msg_type: str, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown type is told to the page and the log, escaped and on one line."""
    (error,) = page.ask(msg_type)
    assert error["header"]["msg_type"] == "error"
    (record,) = caplog.records
    assert "\x1b" not in record.getMessage()
    assert "\n" not in record.getMessage()


# Comms


def test_a_target_of_the_user_is_opened_and_closed(kernel: StandInContext, page: Page) -> None:
    """A target registered in the kernel gets open, messages with buffers, and close."""
    heard: list[Any] = []

    def target(opened: Any, message: dict[str, Any]) -> None:
        heard.append(("open", message["content"]["data"]))
        opened.on_msg(lambda message: heard.append(("message", message["content"]["data"])))
        opened.on_close(lambda message: heard.append(("close", message["content"]["data"])))
        opened.send({"hello": "page"})

    kernel.run(lambda: comm.get_comm_manager().register_target("mine", target))
    (answer,) = page.open("mine", "c-1", {"a": 1})
    assert answer["content"] == {"data": {"hello": "page"}, "comm_id": "c-1"}
    page.say("c-1", {"b": 2})
    page.ask("comm_close", {"comm_id": "c-1", "data": {"c": 3}})
    assert heard == [("open", {"a": 1}), ("message", {"b": 2}), ("close", {"c": 3})]
    assert "c-1" not in kernel.living_host.comm_manager.comms


def test_an_unknown_target_is_closed_again(kernel: StandInContext, page: Page) -> None:
    """The page gets a comm_close, as from ipykernel, and an error; other pages hear nothing of it."""
    other = Page(kernel, "page-2")
    messages = page.open("nobody", "c-1")
    assert types_of(messages) == ["comm_close", "error"]
    assert messages[0]["content"]["comm_id"] == "c-1"
    assert "nobody" in messages[1]["content"]["evalue"]
    assert other.heard() == []
    assert kernel.living_host.comm_count == 0


def test_a_target_that_raises_is_closed_again(
    kernel: StandInContext, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    """The comm does not stay open; the user's mistake is logged once, with its traceback."""

    def target(opened: Any, message: Any) -> None:
        raise LookupError("no such thing")

    kernel.run(lambda: comm.get_comm_manager().register_target("mine", target))
    assert types_of(page.open("mine", "c-1")) == ["comm_close", "error"]
    assert kernel.living_host.comm_count == 0
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


def test_an_id_is_not_opened_twice(kernel: StandInContext, page: Page) -> None:
    """A page can't take over the comm of a widget by opening one of the same id."""
    slider = kernel.run(widgets.IntSlider)
    page.heard()
    assert errors(page.open("solara_ctx.page", slider.model_id)) == ["a comm_open with the id of an open comm"]
    page.say(slider.model_id, {"method": "update", "state": {"value": 3}})
    assert slider.value == 3


def test_unknown_comms_are_no_news(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    """A message to a comm that has just been closed is an everyday race: an error for that page, no line in the log."""
    assert errors(page.say("gone", {}))
    assert errors(page.ask("comm_close", {"comm_id": "gone"}))
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_a_page_does_not_close_the_kernels_widgets(kernel: StandInContext, page: Page) -> None:
    """A page that is done with its copy of a widget closes it for itself, not for the kernel and the other pages."""
    slider = kernel.run(widgets.IntSlider)
    page.ask("comm_close", {"comm_id": slider.model_id})
    assert kernel.living_host.widgets[slider.model_id] is slider
    page.say(slider.model_id, {"method": "update", "state": {"value": 3}})
    assert slider.value == 3


def test_a_page_makes_and_closes_a_widget_of_its_own(kernel: StandInContext, page: Page) -> None:
    """A widget that a page has opened is the page's to close."""
    state = {
        "_model_module": "@jupyter-widgets/controls",
        "_model_module_version": "2.0.0",
        "_model_name": "IntSliderModel",
        "_view_module": "@jupyter-widgets/controls",
        "_view_module_version": "2.0.0",
        "_view_name": "IntSliderView",
        "value": 4,
    }
    page.open("jupyter.widget", "w-1", {"state": state, "buffer_paths": []}, metadata={"version": "2.1.0"})
    slider = kernel.living_host.widgets["w-1"]
    assert isinstance(slider, widgets.IntSlider)
    assert slider.value == 4
    page.ask("comm_close", {"comm_id": "w-1"})
    assert "w-1" not in kernel.living_host.widgets
    assert slider.comm is None


# Errors of user code


@pytest.mark.parametrize("kind", [ZeroDivisionError, SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("how", ["click", "observe"])
def test_a_callback_that_raises_ends_nothing(
    kernel: StandInContext, page: Page, caplog: pytest.LogCaptureFixture, kind: type[BaseException], how: str
) -> None:
    """One log entry with its traceback, an error without details for the page, idle, and the next message is taken."""

    def failing(_: Any) -> None:
        raise kind("a secret")

    button, slider = kernel.run(lambda: (widgets.Button(), widgets.IntSlider()))
    button.on_click(failing)
    slider.observe(failing, "value")
    frame = {
        "click": request(
            "comm_msg", {"comm_id": button.model_id, "data": {"method": "custom", "content": {"event": "click"}}}
        ),
        "observe": request(
            "comm_msg", {"comm_id": slider.model_id, "data": {"method": "update", "state": {"value": 3}}}
        ),
    }[how]
    page.heard()
    page.send_frame(frame)
    messages = page.heard(statuses=True)
    assert messages[-1]["content"] == {"execution_state": "idle"}
    (error,) = [message["content"] for message in messages if message["header"]["msg_type"] == "error"]
    assert error == {"ename": kind.__name__, "evalue": "", "traceback": []}
    (record,) = caplog.records
    assert (record.levelno, record.name.partition(".")[0]) == (logging.ERROR, "solara_ctx")
    assert record.exc_info is not None
    assert types_of(page.ask("kernel_info_request")) == ["kernel_info_reply"]


def test_debug_mode_tells_the_page_everything(caplog: pytest.LogCaptureFixture) -> None:
    """In debug mode the page gets message and traceback of a callback's error."""
    with patched():
        context = StandInContext(debug=True)
        page = Page(context)
        button = context.run(widgets.Button)
        button.on_click(fail)
        page.heard()
        (error,) = page.say(button.model_id, {"method": "custom", "content": {"event": "click"}})
        assert error["content"]["evalue"] == "list index out of range"
        assert "kernels.py" in "\n".join(error["content"]["traceback"])
        context.close()


def test_the_other_handlers_of_a_click_still_run(kernel: StandInContext, page: Page) -> None:
    """One handler that raises does not keep the next from being called."""
    button = kernel.run(widgets.Button)
    called: list[object] = []
    button.on_click(fail)
    button.on_click(called.append)
    page.say(button.model_id, {"method": "custom", "content": {"event": "click"}})
    assert called == [button]


# What a page must not be able to do


def test_a_malformed_frame_costs_the_connection(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    """It is closed with a code and a reason, one line is logged, and the kernel lives on."""
    page.send_frame("{nonsense")
    assert page.sink.closed == (1007, "malformed-frame")
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)
    assert "nonsense" not in record.getMessage()
    assert types_of(page.ask("kernel_info_request")) == ["kernel_info_reply"]


def test_a_malformed_frame_of_a_page_that_is_gone(kernel: StandInContext, page: Page) -> None:
    """There is no connection to close any more, and that is no problem."""
    kernel.living_host.disconnect(page.id, page.sink)
    page.send_frame("{nonsense")
    assert page.sink.closed is None


def test_a_flood_of_nonsense_does_not_flood_the_log(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    """After the first few lines a kernel's pages are not worth any more."""
    for _ in range(50):
        page.ask("nonsense")
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 10


CONTENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "open without anything": ("comm_open", {}),
    "open without a target": ("comm_open", {"comm_id": "x"}),
    "open with a list for a target": ("comm_open", {"comm_id": "x", "target_name": ["a"]}),
    "open with a dict for a target": ("comm_open", {"comm_id": "x", "target_name": {}}),
    "open with a number for an id": ("comm_open", {"comm_id": 1, "target_name": "solara_ctx.page"}),
    "open with an empty id": ("comm_open", {"comm_id": "", "target_name": "solara_ctx.page"}),
    "open with a long id": ("comm_open", {"comm_id": "x" * 257, "target_name": "solara_ctx.page"}),
    "open with an id beyond ASCII": ("comm_open", {"comm_id": "é", "target_name": "solara_ctx.page"}),
    "open with a list for data": ("comm_open", {"comm_id": "x", "target_name": "solara_ctx.page", "data": []}),
    "open a widget with nothing": ("comm_open", {"comm_id": "x", "target_name": "jupyter.widget", "data": {}}),
    "open the control without a version": ("comm_open", {"comm_id": "x", "target_name": "jupyter.widget.control"}),
    "message without an id": ("comm_msg", {"data": {}}),
    "message with a dict for an id": ("comm_msg", {"comm_id": {}, "data": {}}),
    "message with text for data": ("comm_msg", {"comm_id": "x", "data": "y"}),
    "close without an id": ("comm_close", {}),
    "comm_info with a list": ("comm_info_request", {"target_name": ["a"]}),
    "shutdown without a word": ("shutdown_request", {}),
    "shutdown with nonsense": ("shutdown_request", {"restart": "maybe"}),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_bad_content_is_answered_without_a_traceback(
    kernel: StandInContext, page: Page, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Whatever the content is: a reply or an error, no traceback, nothing left open, and the kernel lives on."""
    caplog.set_level(logging.DEBUG)
    assert page.ask(*CONTENTS[name])
    assert [record for record in caplog.records if record.exc_info] == []
    assert kernel.living_host.comm_count == 0
    assert types_of(page.ask("kernel_info_request")) == ["kernel_info_reply"]


WIDGET_DATA: list[dict[str, Any]] = [
    {},
    {"method": 1},
    {"method": "nonsense"},
    {"method": "update"},
    {"method": "update", "state": 1},
    {"method": "update", "state": [1]},
    {"method": "update", "state": {"value": "abc"}},
    {"method": "update", "state": {"value": {"a": [1, {"b": None}]}}},
    {"method": "update", "state": {"value": None, "max": "x", "min": [], "children": ["IPY_MODEL_nobody"]}},
    {"method": "update", "state": {"index": 10**30, "_dom_classes": 7, "layout": "IPY_MODEL_x", "style": 1}},
    {"method": "update", "state": {"_model_name": "Other", "comm": None, "keys": [], "log": None}},
    {"method": "update", "state": {"options": 1, "_options_labels": {}, "titles": 3, "icon": 4}},
    {"method": "update", "state": {}, "buffer_paths": [["value"], ["a", "b"]]},
    {"method": "update", "state": {}, "buffer_paths": 7},
    {"method": "update", "state": {"value": {}}, "buffer_paths": [["value", "x", "y"]]},
    {"method": "request_state"},
    {"method": "custom"},
    {"method": "custom", "content": None},
    {"method": "custom", "content": "text"},
    {"method": "custom", "content": ["event"]},
    {"method": "custom", "content": {"event": ["click"]}},
]


def test_no_core_widget_lets_a_page_write_tracebacks_into_the_log(
    kernel: StandInContext, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    """Every core widget is sent every kind of nonsense: no traceback, no dead kernel."""
    made = kernel.run(every_core_widget)
    assert len(made) > 40
    caplog.set_level(logging.DEBUG)
    page.heard()
    for widget in made:
        for data in WIDGET_DATA:
            page.say(widget.model_id, data)
    tracebacks = [record.exc_text or record.getMessage() for record in caplog.records if record.exc_info]
    assert tracebacks == []
    assert types_of(page.ask("kernel_info_request")) == ["kernel_info_reply"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    msg_type=st.sampled_from(["comm_open", "comm_msg", "comm_close", "comm_info_request", "shutdown_request"])
    | st.text(min_size=1, max_size=20),
    content=st.dictionaries(
        st.sampled_from(["comm_id", "target_name", "data", "restart"]),
        st.sampled_from(["solara_ctx.page", "jupyter.widget", "jupyter.widget.control", "the-slider"])
        | st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["method", "state", "value", "buffer_paths"]) | st.text(), inner, max_size=3
                )
            ),
            max_leaves=5,
        ),
    ),
    metadata=st.dictionaries(st.sampled_from(["version"]), st.none() | st.text() | st.just("2.0.0") | st.just("1.0.0")),
)
def test_no_message_leaves_a_traceback(
    kernel: StandInContext, caplog: pytest.LogCaptureFixture, msg_type: str, content: Any, metadata: Any
) -> None:
    """Any well-formed frame is answered in some way, and the kernel answers the next one."""
    page = Page(kernel)
    kernel.run(
        lambda: widgets.IntSlider(model_id="the-slider") if "the-slider" not in kernel.living_host.widgets else 0
    )
    caplog.clear()
    page.send_frame(json.dumps(message_of(msg_type, content, metadata=metadata)))
    assert [record for record in caplog.records if record.exc_info] == []
    assert page.sink.closed is None
    assert types_of(page.ask("kernel_info_request"))[-1:] == ["kernel_info_reply"]


def test_an_observer_of_the_user_is_no_mistake_of_the_page(
    kernel: StandInContext, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    """A TraitError that an observer causes is the user's to mend: with its traceback, though no line of theirs ran."""
    slider, other = kernel.run(lambda: (widgets.IntSlider(), widgets.IntSlider()))
    slider.observe(lambda change: setattr(other, "value", "abc"), "value")
    page.say(slider.model_id, {"method": "update", "state": {"value": 3}})
    (record,) = caplog.records
    assert record.levelno == logging.ERROR


def test_a_page_that_left_is_still_heard(kernel: StandInContext, page: Page) -> None:
    """A message that was queued when the connection broke is handled; there is only nobody to answer."""
    slider = kernel.run(widgets.IntSlider)
    kernel.living_host.disconnect(page.id, page.sink)
    page.say(slider.model_id, {"method": "update", "state": {"value": 3}})
    assert slider.value == 3


def test_two_threads_never_share_a_message_id(kernel: StandInContext, page: Page) -> None:
    """Message ids are unique, however many threads of a kernel send at once."""
    labels = kernel.run(lambda: [widgets.Label() for _ in range(4)])
    page.heard()

    def count(label: Any) -> None:
        for number in range(200):
            label.value = str(number)

    threads = [threading.Thread(target=count, args=(label,)) for label in labels]
    for thread in threads:
        kernel.run(thread.start)
    for thread in threads:
        thread.join()
    ids = [message["header"]["msg_id"] for message in page.heard()]
    assert len(ids) == len(set(ids)) == 800


def test_the_answer_to_a_message_is_complete_once(kernel: StandInContext, page: Page) -> None:
    """The page that has asked is told so after the idle, whatever came of the message; others are not."""
    other = Page(kernel, "other")
    page.send_frame(request("comm_msg", {"comm_id": "unknown", "data": {}}))
    page.send_frame(request("no_such_type"))
    assert (page.sink.flushed, other.sink.flushed) == (2, 0)
    kernel.living_host.disconnect(page.id, page.sink)
    page.send_frame(request("kernel_info_request"))
    assert page.sink.flushed == 2


def test_pages_open_no_more_comms_than_they_may(kernel: StandInContext, page: Page) -> None:
    """At the limit one more is closed at once, with an error; the kernel's own and the page's own do not count."""
    kernel.living_host.limits = PageLimits(comms=2)
    kernel.living_host.comm_manager.register_target("of a library", lambda _comm, _message: None)
    kernel.run(lambda: [widgets.Label() for _ in range(3)])
    page.open("solara_ctx.page", "asks")
    assert not errors(page.open("of a library", "one") + page.open("of a library", "two"))
    for _ in range(2):
        refused = page.open("of a library", "three")
        assert types_of(refused)[0] == "comm_close"
        assert "SOLARA_KERNEL_MAX_COMMS" in errors(refused)[0]
    page.ask("comm_close", {"comm_id": "one"})
    assert not errors(page.open("of a library", "three"))
    assert page.states()
    assert kernel.living_host.comm_manager.opened_by_pages == 2


SLIDER = {
    "_model_module": "@jupyter-widgets/controls",
    "_model_module_version": "2.0.0",
    "_model_name": "IntSliderModel",
    "_view_module": "@jupyter-widgets/controls",
    "_view_module_version": "2.0.0",
    "_view_name": "IntSliderView",
}


@pytest.mark.parametrize("method", ["no\nsuch", "request_states", "", None, ["update"], {}])
def test_a_widget_is_told_nothing_that_it_does_not_know(
    kernel: StandInContext, page: Page, caplog: pytest.LogCaptureFixture, method: Any
) -> None:
    """Ipywidgets would write into the log what the page has sent, as it is, each time, and as an error."""
    slider = kernel.run(widgets.IntSlider)
    (fault,) = errors(page.say(slider.model_id, {"method": method}))
    assert "method" in fault
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("solara_ctx.jupyter.report", logging.WARNING)
    assert record.getMessage().isprintable()


def test_a_widget_with_a_protocol_of_its_own_is_told_everything(kernel: StandInContext, page: Page) -> None:
    """Which methods it knows, only its class can say."""
    heard: list[Any] = []

    class Own(widgets.Label):
        def _handle_msg(self, msg: Any) -> None:
            heard.append(msg["content"]["data"])

    own = kernel.run(Own)
    page.say(own.model_id, {"method": "of its own"})
    assert heard == [{"method": "of its own"}]


@pytest.mark.parametrize("name", ["layout", "style"])
def test_an_update_makes_no_widgets(kernel: StandInContext, page: Page, name: str) -> None:
    """Ipywidgets makes a new layout of a dict, and keeps the old one: as many as a page likes."""
    slider = kernel.run(widgets.IntSlider)
    page.states()
    before = dict(kernel.living_host.widgets)
    for _ in range(3):
        assert errors(page.say(slider.model_id, {"method": "update", "state": {"value": 3, name: {"width": "1px"}}}))
    assert dict(kernel.living_host.widgets) == before
    assert slider.value == 0, "a message that is refused is refused as a whole"
    other = kernel.run(widgets.Layout)
    page.say(slider.model_id, {"method": "update", "state": {"layout": f"IPY_MODEL_{other.model_id}"}})
    assert slider.layout is other


def test_a_dict_is_a_value_where_it_makes_no_widget(kernel: StandInContext, page: Page) -> None:
    """A trait of the user's own may hold one, or make something else of it."""

    class Settings(traitlets.HasTraits):
        dark = traitlets.Bool()

    class Themed(widgets.Label):
        data = traitlets.Dict().tag(sync=True)
        settings = InstanceDict(Settings).tag(sync=True, to_json=lambda value, _: {"dark": value.dark})

    themed = kernel.run(Themed)
    page.say(themed.model_id, {"method": "update", "state": {"data": {"a": 1}, "settings": {"dark": True}}})
    assert themed.data == {"a": 1}
    assert themed.settings.dark is True


@pytest.mark.parametrize("state", [{}, {"layout": {"width": "1px"}}, {"layout": {}, "value": "no number"}])
def test_what_comes_with_a_widget_of_a_page_goes_with_it(
    kernel: StandInContext, page: Page, state: dict[str, Any]
) -> None:
    """Its layout and its style, which upstream leaves behind; also where it could not be made."""
    host = kernel.living_host
    host.limits = PageLimits(comms=1)
    before = host.comm_count
    for number in range(5):
        data = {"state": SLIDER | state}
        page.open("jupyter.widget", f"w-{number}", data, metadata={"version": "2.1.0"})
        page.say(f"w-{number}", {"method": "request_state"})
        page.ask("comm_close", {"comm_id": f"w-{number}"})
        assert (host.comm_count, dict(host.widgets)) == (before, {})


def test_what_a_page_lets_its_widget_use_does_not_go_with_it(kernel: StandInContext, page: Page) -> None:
    """A layout of the kernel stays the kernel's."""
    layout = kernel.run(widgets.Layout)
    state = SLIDER | {"layout": f"IPY_MODEL_{layout.model_id}"}
    page.open("jupyter.widget", "w-1", {"state": state}, metadata={"version": "2.1.0"})
    assert kernel.living_host.widgets["w-1"].layout is layout
    page.ask("comm_close", {"comm_id": "w-1"})
    assert dict(kernel.living_host.widgets) == {layout.model_id: layout}


def test_pages_that_never_come_back_leave_little_behind(kernel: StandInContext, page: Page) -> None:
    """Somebody may invent one page after the other; those that are there, or were a moment ago, keep their comms."""
    host = kernel.living_host
    page.open("solara_ctx.page", "of the page that is there")
    for number in range(200):
        other = Page(kernel, f"other-{number}")
        other.open("solara_ctx.page", f"asks-{number}")
        other.open("jupyter.widget.control", f"controls-{number}", metadata={"version": "1.0.0"})
        host.disconnect(other.id, other.sink)
    assert host.comm_count <= 2 * 64 + 3
    assert {"of the page that is there", "asks-199", "asks-150", "controls-150"} <= host.comm_manager.comms.keys()
