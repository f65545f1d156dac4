"""A page made of ipywidgets as an app of Solara, embedded in the way that its documentation shows."""

from collections.abc import Callable

import ipywidgets as widgets
import solara


def embedded(build: Callable[[], widgets.Widget]) -> object:
    """The component to call `Page` in a module that Solara serves."""

    @solara.component  # type: ignore[untyped-decorator]
    def page() -> object:
        container = widgets.VBox.element()

        def fill() -> object:
            made = build()
            box = solara.get_widget(container)
            box.children = (made,)

            def clean_up() -> None:
                box.children = ()
                made.close()

            return clean_up

        solara.use_effect(fill, [])
        return container

    return page
