"""What to show, and the state of all widgets in one message."""

import contextvars
from typing import Any

import comm
import ipywidgets as widgets
import pytest
import traitlets

from tests.support.kernels import Page, StandInContext, fail, patched, types_of

VERSION = {"version": "1.0.0"}


def page_answers(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message["content"]["data"] for message in messages if message["header"]["msg_type"] == "comm_msg"]


# solara_ctx.page


def test_a_page_is_told_what_to_show(kernel: StandInContext, page: Page) -> None:
    """Once the page function has run, each page gets the roots in order, and which run they are of."""
    first, second = kernel.run(lambda: (widgets.Label(), widgets.Button()))
    kernel.living_host.show([first, second])
    page.heard()
    answer = {"run": kernel.living_host.run_id, "status": "ok", "roots": [first.model_id, second.model_id], "page": {}}
    assert page_answers(page.open("solara_ctx.page", "a")) == [answer]
    assert page_answers(Page(kernel, "page-2").open("solara_ctx.page", "b")) == [answer]
    assert page.heard(statuses=True)[0]["header"]["msg_type"] == "status"


def test_the_answer_waits_for_the_page_function(kernel: StandInContext, page: Page) -> None:
    """A page that asks early is answered when there is something to show; once."""
    assert page.open("solara_ctx.page", "a") == []
    kernel.run(kernel.living_host.show, None)
    assert page_answers(page.heard()) == [{"run": kernel.living_host.run_id, "status": "ok", "roots": [], "page": {}}]
    assert page.heard() == []


def test_what_has_a_name_goes_to_a_place_of_that_name(kernel: StandInContext, page: Page) -> None:
    """The place without a name is the main one, which may be empty."""
    label, button = kernel.run(widgets.Label), kernel.run(widgets.Button)
    kernel.run(kernel.living_host.show, {"side": [button, label], "main": label})
    (answer,) = page_answers(page.open("solara_ctx.page", "a"))
    assert answer["roots"] == [label.model_id]
    assert answer["named_roots"] == {"side": [button.model_id, label.model_id]}
    kernel.run(kernel.living_host.show, {"side": button})
    (answer,) = page_answers(page.heard())
    assert answer["roots"] == []
    with pytest.raises(TypeError, match="by strings, not 7"):
        kernel.run(kernel.living_host.show, {7: button})


def test_how_a_page_looks_comes_with_the_answer(kernel: StandInContext, page: Page) -> None:
    """Nobody is told before; the newest counts; pages that come later have it, too."""
    host = kernel.living_host
    assert page.open("solara_ctx.page", "a") == []
    kernel.run(host.set_page, {"title": "first", "theme": "dark"})
    kernel.run(host.set_page, {"title": "second"})
    assert page.heard() == []
    kernel.run(host.show, None)
    assert [answer["page"] for answer in page_answers(page.heard())] == [{"title": "second", "theme": "dark"}]
    (late,) = page_answers(Page(kernel, "page-2").open("solara_ctx.page", "b"))
    assert late["page"] == {"title": "second", "theme": "dark"}


def test_a_change_of_how_a_page_looks_is_told_at_once(kernel: StandInContext, page: Page) -> None:
    """To every page that has its answer, and not to one that has left."""
    host, other = kernel.living_host, Page(kernel, "page-2")
    kernel.run(host.show, None)
    page.open("solara_ctx.page", "a")
    other.open("solara_ctx.page", "b")
    other.ask("comm_close", {"comm_id": "b"})
    kernel.run(host.set_page, {"title": "new"})
    assert page_answers(page.heard()) == [{"method": "page", "page": {"title": "new"}}]
    assert other.heard() == []
    with pytest.raises(TypeError):
        kernel.run(host.set_page, {"title": object()})
    assert page.heard() == []


def test_only_the_page_that_asks_is_answered(kernel: StandInContext, page: Page) -> None:
    """The page comm connects one page with the kernel."""
    other = Page(kernel, "page-2")
    kernel.living_host.show(None)
    page.open("solara_ctx.page", "a")
    assert other.heard() == []


def test_a_closed_page_comm_is_forgotten(kernel: StandInContext, page: Page) -> None:
    """Who closes it before the answer gets none."""
    page.open("solara_ctx.page", "a")
    page.ask("comm_close", {"comm_id": "a"})
    kernel.living_host.show(None)
    assert page.heard() == []
    assert kernel.living_host.comm_count == 0


def test_a_page_that_comes_back_replaces_its_comms(kernel: StandInContext, page: Page) -> None:
    """A hundred lost connections leave one comm of each kind, and other pages keep theirs."""
    Page(kernel, "page-2").open("solara_ctx.page", "other")
    for number in range(100):
        page.open("solara_ctx.page", f"page-{number}")
        page.open("jupyter.widget.control", f"control-{number}", metadata=VERSION)
    assert set(kernel.living_host.comm_manager.comms) == {"other", "page-99", "control-99"}


@pytest.mark.parametrize("debug", [True, False])
def test_a_failed_page_function_is_told(debug: bool) -> None:
    """The kind of the error always, message and traceback in debug mode only; the error itself is not kept."""
    with patched():
        context = StandInContext(debug=debug)
        page = Page(context)
        try:
            fail()
        except LookupError as error:
            context.living_host.show_error(error)
        (answer,) = page_answers(page.open("solara_ctx.page", "a"))
        assert (answer["run"], answer["status"]) == (context.living_host.run_id, "error")
        assert answer["error"]["ename"] == "LookupError"
        assert answer["error"]["evalue"] == ("list index out of range" if debug else "")
        assert ("kernels.py" in answer["error"]["traceback"]) if debug else answer["error"]["traceback"] is None
        context.close()


# jupyter.widget.control


def test_all_states_come_in_one_message(kernel: StandInContext, page: Page) -> None:
    """Every widget of this kernel with model and state, buffers and all; for the page that asked."""
    image, slider = kernel.run(lambda: (widgets.Image(value=b"\x01\x02"), widgets.IntSlider(value=4)))
    stranger = StandInContext(kernel_id="another kernel")
    stranger.run(widgets.Text)
    other = Page(kernel, "page-2")
    page.open("jupyter.widget.control", "c", metadata=VERSION)
    page.heard()
    (message,) = page.say("c", {"method": "request_states"})
    data = message["content"]["data"]
    assert data["method"] == "update_states"
    assert set(data["states"]) == set(kernel.living_host.widgets)
    assert data["states"][slider.model_id]["state"]["value"] == 4
    assert {"model_name", "model_module", "model_module_version", "state"} == data["states"][slider.model_id].keys()
    assert data["buffer_paths"] == [[image.model_id, "state", "value"]]
    assert message["buffers"] == [b"\x01\x02"]
    assert other.heard() == []
    stranger.close()


def test_no_widgets_are_an_answer_too(page: Page) -> None:
    """An empty page loads, too."""
    assert page.states() == {}


@pytest.mark.parametrize("metadata", [{}, {"version": "2.0.0"}, {"version": None}, {"version": "1"}])
def test_another_version_is_refused(page: Page, metadata: dict[str, Any]) -> None:
    """The page is told, and the comm closed again; the major version counts."""
    expected = [] if metadata.get("version") == "1" else ["comm_close", "error"]
    assert types_of(page.open("jupyter.widget.control", "c", metadata=metadata)) == expected


@pytest.mark.parametrize("data", [{}, {"method": "nonsense"}, {"method": ["request_states"]}])
def test_an_unknown_method_is_refused(page: Page, data: dict[str, Any]) -> None:
    """The page is told."""
    page.open("jupyter.widget.control", "c", metadata=VERSION)
    assert types_of(page.say("c", data)) == ["error"]


class Refusing(widgets.Label):
    """A widget whose state can't be had."""

    broken = traitlets.Any().tag(sync=True, to_json=lambda value, widget: fail() if value else None)


class Unwritable(widgets.Label):
    """A widget whose state JSON does not know."""

    broken = traitlets.Any().tag(sync=True)


@pytest.mark.parametrize("kind", [Refusing, Unwritable])
def test_a_bad_widget_does_not_spoil_the_others(
    kernel: StandInContext, page: Page, caplog: pytest.LogCaptureFixture, kind: type[widgets.Widget]
) -> None:
    """It is left out and logged; the page gets all others."""
    good, bad = kernel.run(lambda: (widgets.IntSlider(), kind()))
    bad._trait_values["broken"] = object()
    states = page.states()
    assert good.model_id in states
    assert bad.model_id not in states
    (record,) = caplog.records
    assert kind.__name__ in record.getMessage()
    assert record.exc_info is not None


@pytest.mark.parametrize("updates", [1, 5, 6])
def test_an_update_during_the_snapshot_is_not_lost(kernel: StandInContext, page: Page, updates: int) -> None:
    """What changed after it was read is read again, so that the page does not go back to it; where that does not end,
    the value is sent again behind the states.
    """

    class Late(widgets.IntProgress):
        """Reports progress while its state is being read, as a thread does."""

        def get_state(self, *args: Any, **kwargs: Any) -> Any:
            state = super().get_state(*args, **kwargs)
            if armed and not kwargs and not args:
                self.value = armed.pop(0)
            return state

    armed: list[int] = []
    bar = kernel.run(Late)
    armed += range(1, updates + 1)
    page.open("jupyter.widget.control", "c", metadata=VERSION)
    page.heard()
    messages = [message["content"] for message in page.say("c", {"method": "request_states"})]
    kinds = [(message["comm_id"], message["data"]["method"]) for message in messages]
    before, behind = [(bar.model_id, "update")] * updates, [(bar.model_id, "update")] * (updates > 5)
    assert kinds == [*before, ("c", "update_states"), *behind]
    told = messages[updates]["data"]["states"][bar.model_id]["state"]["value"]
    assert told == min(updates, 5)
    if behind:
        assert messages[-1]["data"]["state"]["value"] == updates


# A page that hears of widgets once it has asked for them


@pytest.fixture
def late(kernel: StandInContext) -> Page:
    """Such a page, when there is something to show."""
    kernel.run(kernel.living_host.show, None)
    return Page(kernel, "late", hears_widgets=False)


def test_the_states_wait_for_the_page_function(kernel: StandInContext) -> None:
    """One that is async lets messages through meanwhile: until it has returned, the page hears of no widget, and then
    it has all there are; once, however often it has asked.
    """
    early = Page(kernel, "early", hears_widgets=False)
    gone, stays = kernel.run(lambda: (widgets.Label(), widgets.IntSlider()))
    early.open("solara_ctx.page", "a")
    for number in range(3):
        early.open("jupyter.widget.control", f"c{number}", metadata=VERSION)
        assert early.say(f"c{number}", {"method": "request_states"}) == []
    gone_id = gone.model_id
    kernel.run(gone.close)
    kernel.run(setattr, stays, "value", 3)
    assert early.heard() == []
    kernel.run(kernel.living_host.show, [stays])
    answer, states = early.heard()
    assert (answer["content"]["comm_id"], states["content"]["comm_id"]) == ("a", "c2")
    assert gone_id not in states["content"]["data"]["states"]
    assert states["content"]["data"]["states"][stays.model_id]["state"]["value"] == 3
    kernel.run(setattr, stays, "value", 4)
    assert types_of(early.heard()) == ["comm_msg"]


def test_a_page_that_has_left_gets_no_states(kernel: StandInContext) -> None:
    """Although it has asked for them."""
    early = Page(kernel, "early", hears_widgets=False)
    early.open("jupyter.widget.control", "c", metadata=VERSION)
    early.say("c", {"method": "request_states"})
    early.ask("comm_close", {"comm_id": "c"})
    kernel.run(kernel.living_host.show, None)
    assert early.heard() == []


def test_it_is_spared_what_the_states_will_tell(kernel: StandInContext, page: Page, late: Page) -> None:
    """Openings, updates and ends, of widgets alone; others hear of them at once."""
    slider, gone = kernel.run(lambda: (widgets.IntSlider(), widgets.Label()))
    gone_id = gone.model_id
    kernel.run(setattr, slider, "value", 3)
    kernel.run(gone.close)
    kernel.run(lambda: comm.create_comm("of a library"))
    assert [message["content"].get("target_name") for message in late.heard()] == ["of a library"]
    heard = types_of(page.heard())
    assert [heard.count(kind) for kind in ("comm_open", "comm_msg", "comm_close")] == [7, 1, 1]
    states = late.states()
    assert states[slider.model_id]["state"]["value"] == 3
    assert gone_id not in states


def test_it_hears_everything_from_then_on(kernel: StandInContext, late: Page) -> None:
    """As any other page."""
    slider = kernel.run(widgets.IntSlider)
    late.states()
    late.heard()
    kernel.run(setattr, slider, "value", 3)
    kernel.run(widgets.Label)
    assert types_of(late.heard()) == ["comm_msg", "comm_open", "comm_open", "comm_open"]


def test_what_cannot_be_sent_is_an_error_of_its_line_all_the_same(kernel: StandInContext, late: Page) -> None:
    """Although nobody is sent anything."""
    with pytest.raises(TypeError):
        kernel.run(lambda: Unwritable(broken=object()))
    assert late.heard() == []


def ask_for_states(page: Page) -> list[dict[str, Any]]:
    """All that the page is told until it has the states, and those."""
    page.open("jupyter.widget.control", "c", metadata=VERSION)
    return page.heard() + page.say("c", {"method": "request_states"})


def test_a_widget_that_is_made_while_the_states_are_told_is_not_lost(
    kernel: StandInContext, page: Page, late: Page
) -> None:
    """By a thread that has opened its comm, of which the page did not hear, and not yet put it into the table."""
    told: list[dict[str, Any]] = []

    class Slow(widgets.Label):
        """Takes its time between the two."""

        @traitlets.observe("comm")
        def _comm_changed(self, change: Any) -> None:
            if change["new"] is not None and change["new"] is not traitlets.Undefined:
                told.extend(ask_for_states(late))
            super()._comm_changed(change)

    slow = kernel.run(contextvars.copy_context).run(Slow)
    kernel.run(setattr, slow, "value", "on")
    opened, states = told
    assert (opened["header"]["msg_type"], opened["content"]["comm_id"]) == ("comm_open", slow.model_id)
    assert opened["content"]["data"]["state"]["_model_name"] == "LabelModel"
    assert set(states["content"]["data"]["states"]) == {slow.layout.model_id, slow.style.model_id}
    assert types_of(late.heard()) == ["comm_msg"]
    assert [message["content"]["comm_id"] for message in page.heard()].count(slow.model_id) == 2


def test_what_is_no_widget_of_ours_is_in_no_states_and_told_all_the_same(
    kernel: StandInContext, page: Page, late: Page
) -> None:
    """An anywidget's comm has the same target: its opening and what it says, in order, each once, whoever asks when."""
    silent, talks, gone = kernel.run(
        lambda: [comm.create_comm(target_name="jupyter.widget", data={"state": {"n": n}}) for n in range(3)]
    )
    kernel.run(talks.send, {"n": "one"})
    kernel.run(gone.close)
    kernel.run(talks.send, {"n": "two"})
    assert [message["content"]["data"] for message in late.heard()] == [{"state": {"n": 1}}, {"n": "one"}, {"n": "two"}]
    told = ask_for_states(late)
    assert [message["content"]["comm_id"] for message in told] == [silent.comm_id, "c"]
    assert told[0]["content"]["data"] == {"state": {"n": 0}}
    kernel.run(silent.send, {"n": "three"})
    assert [message["content"]["data"] for message in late.heard()] == [{"n": "three"}]
    assert types_of(page.heard()) == ["comm_open"] * 3 + ["comm_msg", "comm_close", "comm_msg", "comm_msg"]


def test_a_widget_that_is_closed_while_the_states_are_told_is_not_in_them(kernel: StandInContext, late: Page) -> None:
    """Nobody would tell the page of its end any more."""
    label = kernel.run(widgets.Label)
    told: list[dict[str, Any]] = []
    sends = kernel.living_host.session.send

    def send(*args: Any, **options: Any) -> Any:
        if "comm_close" in args and not told:
            told.extend(ask_for_states(late))
        return sends(*args, **options)

    kernel.living_host.session.send = send  # type: ignore[method-assign]
    contextvars.Context().run(label.comm.close)
    assert label.comm.comm_id not in told[-1]["content"]["data"]["states"]
