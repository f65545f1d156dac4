"""What a page function may return, beside widgets."""

import json
from typing import Any

import ipywidgets as widgets
import pytest
import reacton
import reacton.ipywidgets
from IPython.display import HTML, Markdown

from solara_ctx import get_current_context
from tests.support.visits import Visit, serving

log: list[str] = []


@pytest.fixture(autouse=True)
def nothing_logged() -> None:
    log.clear()


class Rich:
    """Has a bundle of its own."""

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"text/plain": "plain", "application/json": {"a": 1}}


class Fails:
    """Can't be shown."""

    def _repr_html_(self) -> str:
        raise ValueError("no good")


async def outputs_of(visit: Visit) -> list[Any]:
    """What each root shows."""
    roots = (await visit.shown())["roots"]
    states = await visit.states()
    return [states[root]["state"].get("outputs") for root in roots]


@pytest.mark.parametrize(
    ("result", "data"),
    [
        (42, {"text/plain": "42"}),
        ({1, 2}, {"text/plain": "{1, 2}"}),
        ("two\nlines", {"text/plain": "two\nlines"}),
        (b"x", {"text/plain": "b'x'"}),
        (HTML("<b>bold</b>"), {"text/plain": "<IPython.core.display.HTML object>", "text/html": "<b>bold</b>"}),
        (Markdown("*x*"), {"text/plain": "<IPython.core.display.Markdown object>", "text/markdown": "*x*"}),
        (Rich(), {"text/plain": "plain", "application/json": {"a": 1}}),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_jupyter_displays_is_a_page(result: object, data: dict[str, object]) -> None:
    """Alone and beside widgets, as the value of a cell; text without the quotes."""
    async with serving(lambda: [result, widgets.Label("beside"), result]) as site:
        shown = await outputs_of(await site.visit())
    (first,), beside, (third,) = shown
    assert json.loads(json.dumps(first["data"])) == data
    assert beside is None
    assert third == first


async def test_what_fails_to_show_itself_says_so_in_its_place() -> None:
    """The rest of the page is there, as in a notebook."""
    async with serving(lambda: [Fails(), widgets.Label("beside")], debug=True) as site:
        (outputs, beside) = await outputs_of(await site.visit())
    assert beside is None
    assert any("no good" in str(output) for output in outputs)


# Reacton


@reacton.component
def Counter() -> Any:  # noqa: N802 - as components are called
    """Counts clicks; notes its effects."""
    clicks, set_clicks = reacton.use_state(0)

    def effect() -> Any:
        log.append(f"effect in {get_current_context().id}")
        return lambda: log.append(f"clean-up in {get_current_context().id}")

    reacton.use_effect(effect, [])
    return reacton.ipywidgets.Button(description=f"{clicks} clicks", on_click=lambda: set_clicks(clicks + 1))


@reacton.component
def Broken() -> Any:  # noqa: N802 - same
    """Fails as it is rendered for the second time."""
    broken, set_broken = reacton.use_state(False)
    if broken:
        raise ValueError("no good")
    return reacton.ipywidgets.Button(description="break", on_click=lambda: set_broken(True))


async def test_a_reacton_element_is_rendered_and_closed_in_its_place() -> None:
    """State and effects work; clean-ups run at the close, after hooks and tasks and before the widgets go."""

    def page() -> Any:
        get_current_context().on_close(lambda: log.append("hook"))
        return [Counter(), widgets.Label("beside")]

    async with serving(page) as site:
        visit = await site.visit()
        kernel_id = visit.kernel_id
        await visit.click("0 clicks")
        await visit.click("1 clicks")
        assert visit.model_id("2 clicks")
        assert log == [f"effect in {kernel_id}"]
        report = await visit.context.aclose()
    assert log == [f"effect in {kernel_id}", "hook", f"clean-up in {kernel_id}"]
    assert report.ok
    names = [step.name for step in report.steps]
    assert names.index("tasks") < names.index("app") < names.index("widgets")


async def test_two_kernels_have_states_of_their_own() -> None:
    """The same component, the same element even."""
    element = Counter()
    async with serving(lambda: element) as site:
        one, two = await site.visit(), await site.visit()
        await one.click("0 clicks")
        assert one.model_id("1 clicks")
        assert two.model_id("0 clicks")


async def test_a_component_that_fails_is_an_error_of_the_page(caplog: pytest.LogCaptureFixture) -> None:
    """At first the page's, and later that of the callback; the traceback is for the log."""

    @reacton.component
    def fails() -> Any:
        raise ValueError("no good")

    async with serving(fails) as site:
        visit = await site.visit()
        answer = await visit.shown()
        assert (answer["status"], answer["error"]["evalue"]) == ("error", "")
    async with serving(Broken) as site:
        visit = await site.visit()
        await visit.click("break")
        await visit.until(lambda: any(message["header"]["msg_type"] == "error" for message in visit.heard))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("solara_ctx")]
    # Reacton raises what has failed last once more as it is closed.
    assert [line.partition(" of ")[0] for line in ours] == ["the page function", "a widget callback", "the end"]
