"""ipyvue and ipyvuetify: templates, components, modules and the theme, per kernel; and whether they still need it."""

from pathlib import Path
from typing import Any

import ipyvue
import ipyvuetify
import pytest
from ipyvue import VueComponentRegistry
from ipyvue.ForceLoad import force_load_instance

from solara_ctx import ContextClosed
from tests.support.kernels import StandInContext, patched


@pytest.fixture
def template(tmp_path: Path) -> type[ipyvuetify.VuetifyTemplate]:
    """A class whose template is in a file."""
    path = tmp_path / "tally.vue"
    path.write_text("<template><div>{{ count }}</div></template>")

    class Tally(ipyvuetify.VuetifyTemplate):
        template_file = str(path)

    return Tally


def is_of(kernel: StandInContext, widget: Any) -> bool:
    return kernel.living_host.widgets.get(widget.model_id) is widget


def test_upstream_still_has_one_for_the_process() -> None:
    """Else the patches can go."""
    assert ipyvuetify.Btn()._jupyter_vue is force_load_instance
    assert ipyvuetify.VuetifyTemplate(template="<template></template>")._jupyter_vue is force_load_instance


def test_a_template_of_a_file_is_the_kernels(
    kernel: StandInContext, other: StandInContext, template: type[ipyvuetify.VuetifyTemplate]
) -> None:
    """One for all widgets of a class in it, and closed with it."""
    first, again, elsewhere = kernel.run(template), kernel.run(template), other.run(template)
    assert first.template is again.template
    assert first.template is not elsewhere.template
    assert is_of(kernel, first.template)
    assert is_of(other, elsewhere.template)
    other.close()
    assert is_of(kernel, kernel.run(template).template)


def test_widgets_refer_to_nothing_of_the_process(kernel: StandInContext) -> None:
    """The page can show them."""
    button = kernel.run(lambda: ipyvuetify.Btn(children=["x"]))
    card = kernel.run(lambda: ipyvuetify.VuetifyTemplate(template="<template></template>"))
    assert button.get_state()["_jupyter_vue"] is None
    assert card.get_state()["_jupyter_vue"] is None
    kernel.run(kernel.living_host.show, [button, card])


def test_components_are_the_kernels(kernel: StandInContext, other: StandInContext) -> None:
    """The second to register a name has its own, instead of changing what the first one's pages show."""
    kernel.run(ipyvue.register_component_from_string, "own", "one")
    other.run(ipyvue.register_component_from_string, "own", "two")
    registry = VueComponentRegistry.vue_component_registry
    assert kernel.run(lambda: registry["own"]).component == "one"
    assert other.run(lambda: registry["own"]).component == "two"
    assert is_of(other, other.run(lambda: registry["own"]))
    assert "own" not in registry


def test_modules_are_the_kernels(kernel: StandInContext, other: StandInContext) -> None:
    """Both have theirs by the same name."""
    one = kernel.run(lambda: ipyvue.define_module("m", code="1"))
    two = other.run(lambda: ipyvue.define_module("m", code="2"))
    assert one is not two
    assert kernel.run(lambda: ipyvue.define_module("m", code="3")) is one
    assert (one.code, two.code) == ("3", "2")


def test_the_theme_is_the_kernels(kernel: StandInContext, other: StandInContext) -> None:
    """One page's dark is not everybody's; whoever has imported the theme has the right one."""
    theme = ipyvuetify.theme
    kernel.run(setattr, theme, "dark", True)
    other.run(setattr, theme, "dark", False)
    assert (kernel.run(lambda: theme.dark), other.run(lambda: theme.dark), theme.dark) == (True, False, None)
    (widget,) = (it for it in kernel.living_host.widgets.values() if it._model_name == "ThemeModel")
    assert widget.dark is True
    kernel.run(setattr, theme.themes.light, "primary", "#123456")


def test_the_theme_of_a_closed_kernel_is_nobodys(kernel: StandInContext) -> None:
    """Whoever sets it learns so, and the process's stays as it was."""
    theme = ipyvuetify.theme
    kernel.run(setattr, theme, "dark", True)
    run = kernel._variables.copy().run
    kernel.close()
    with pytest.raises(ContextClosed):
        run(setattr, theme, "dark", True)
    assert theme.dark is None


def test_without_a_service_all_is_as_it_was() -> None:
    """The patches are reverted."""
    before = type(ipyvuetify.theme)
    with patched():
        assert type(ipyvuetify.theme) is not before
        ipyvuetify.theme.dark = True
        ipyvuetify.theme.dark = None
    assert type(ipyvuetify.theme) is before
    assert ipyvuetify.Btn()._jupyter_vue is force_load_instance
