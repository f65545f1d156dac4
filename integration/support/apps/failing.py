"""Pages that go wrong, each in another way."""

import threading

import ipywidgets as widgets
from starlette.applications import Starlette
from starlette.routing import Mount

from solara_ctx import KernelApp

SECRET = "the password is swordfish"


def raises() -> None:
    """Fails before there is anything to show."""
    raise ValueError(SECRET)


def exits() -> None:
    """Asks the interpreter to end."""
    raise SystemExit(3)


def returns_nonsense() -> object:
    """Returns what can't be shown."""
    return print  # without a call


def callback_raises() -> widgets.Widget:
    """A button that fails, and one that works."""
    bad, good, label = widgets.Button(description="Bad"), widgets.Button(description="Good"), widgets.Label("untouched")

    def fail(_button: widgets.Button) -> None:
        raise ValueError(SECRET)

    bad.on_click(fail)
    good.on_click(lambda _button: setattr(label, "value", "still alive"))
    return widgets.VBox([bad, good, label])


def thread_raises() -> widgets.Widget:
    """A thread of the page fails."""

    def fail() -> None:
        raise ValueError(SECRET)

    threading.Thread(target=fail, name="user-thread").start()
    return widgets.Label("shown all the same")


PAGES = {
    "/raises": raises,
    "/exits": exits,
    "/nonsense": returns_nonsense,
    "/callback": callback_raises,
    "/thread": thread_raises,
}
kernels = KernelApp(PAGES)
app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)
