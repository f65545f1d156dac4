"""Errors are kept for a report, and with them the frames that they came through."""

import ipywidgets as widgets

ERRORS: list[Exception] = []  # holds


def parse(text: str, field: widgets.Text) -> int:
    """The number in the field."""
    try:
        return int(text)
    except ValueError as error:
        field.description = "a number"
        ERRORS.append(error)  # holds
        return 0


def page() -> widgets.Widget:
    """A number, please."""
    field, answer = widgets.Text(description="Number"), widgets.Label("-")

    def typed(_change: object) -> None:
        answer.value = str(parse(field.value, field))

    field.observe(typed, "value")
    parse("", field)
    return widgets.VBox([field, answer])
