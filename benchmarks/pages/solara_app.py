"""The page as an app of Solara, which embeds code written for ipywidgets in the way that its documentation shows."""

import ipywidgets as widgets
import solara

from benchmarks.pages.page import build


@solara.component  # type: ignore[untyped-decorator]
def Page() -> object:  # noqa: N802 - the name that Solara looks for
    container = widgets.VBox.element()

    def fill() -> object:
        page = build()
        box = solara.get_widget(container)
        box.children = (page,)

        def clean_up() -> None:
            box.children = ()
            page.close()

        return clean_up

    solara.use_effect(fill, [])
    return container
