"""The page as an app of Solara, as the first example of its documentation is written: with components of its own."""

import solara

clicks = solara.reactive(0)


@solara.component  # type: ignore[untyped-decorator]
def Page() -> None:  # noqa: N802 - the name that Solara looks for
    def increase_clicks() -> None:
        clicks.value += 1

    # By these classes the benchmark finds them.
    solara.Button(label="Click", on_click=increase_clicks, classes=["ask"])
    solara.Text(str(clicks.value), classes=["answer"])
