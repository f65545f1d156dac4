"""Several pages of one app, that keep the kernel."""

import html
from typing import Any

import ipywidgets as widgets
from gallery_pages.room import Room

from solara_ctx import KernelVar, get_current_context, navigate

basket: KernelVar[tuple[str, ...]] = KernelVar("basket", default=())


def shop() -> widgets.Widget:
    """Pages that keep the kernel: what is in the basket is there on the next page."""
    label = widgets.Label(_content())
    fruit = widgets.Dropdown(options=["apple", "pear", "plum"])
    add, pay = widgets.Button(description="Add"), widgets.Button(description="Check out")

    def added(_: object) -> None:
        basket.set((*basket.get(), fruit.value))
        label.value = _content()

    add.on_click(added)
    pay.on_click(lambda _: navigate("/tour/checkout?coupon=spring"))
    links = "".join(f'<a href="tour/checkout?coupon={name}">with coupon {name}</a> ' for name in ("autumn", "winter"))
    return widgets.VBox([widgets.HTML("<h1>Shop</h1>"), widgets.HBox([fruit, add, pay]), label, widgets.HTML(links)])


def checkout(connection: Any) -> widgets.Widget:
    """The second page: it reads the query, and has what the first page has put into variables."""
    coupon = html.escape(connection.query_params.get("coupon", "none"))
    back = widgets.HTML('<a href="../tour">back to the shop</a>')
    return widgets.VBox(
        [
            widgets.HTML("<h1>Check out</h1>"),
            widgets.Label(_content()),
            widgets.Label(f"coupon: {coupon}"),
            widgets.Label(f"kernel: {get_current_context().id[:4]}"),
            widgets.HTML('<div style="height: 200vh"></div>'),
            back,
        ]
    )


def _content() -> str:
    return "basket: " + (", ".join(basket.get()) or "empty")


ROOM = Room("A tour", {"/tour": shop, "/tour/checkout": checkout})
