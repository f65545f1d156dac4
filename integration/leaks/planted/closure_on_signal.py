"""A closure over a page's widget is connected to a signal that lives as long as the process."""

from collections.abc import Callable

import ipywidgets as widgets


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


news = Signal()  # holds


def page() -> widgets.Widget:
    """Shows the news."""
    label = widgets.Label("no news")

    def show(text: str) -> None:  # holds
        label.tooltip = text

    news.connect(show)  # holds
    return label
