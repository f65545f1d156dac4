"""As planted; the page's end disconnects."""

from collections.abc import Callable

import ipywidgets as widgets

from solara_ctx import get_current_context


class Signal:
    """Tells whoever has connected."""

    def __init__(self) -> None:
        self.receivers: list[Callable[[str], None]] = []

    def connect(self, receiver: Callable[[str], None]) -> Callable[[], None]:
        """Returns a function that disconnects."""
        self.receivers.append(receiver)
        return lambda: self.receivers.remove(receiver)

    def send(self, news: str) -> None:
        """Tell all."""
        for receiver in tuple(self.receivers):
            receiver(news)


news = Signal()


def page() -> widgets.Widget:
    """Shows the news."""
    label = widgets.Label("no news")

    def show(text: str) -> None:
        label.tooltip = text

    get_current_context().on_close(news.connect(show))
    return label
