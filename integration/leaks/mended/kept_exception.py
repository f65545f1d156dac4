"""As planted; of an error the text is kept, and only of the last few."""

from collections import deque

import ipywidgets as widgets

ERRORS: deque[str] = deque(maxlen=5)


def parse(text: str, field: widgets.Text) -> int:
    """The number in the field."""
    try:
        return int(text)
    except ValueError as error:
        field.description = "a number"
        ERRORS.append(str(error))
        return 0


def page() -> widgets.Widget:
    """A number, please."""
    field, answer = widgets.Text(description="Number"), widgets.Label("-")

    def typed(_change: object) -> None:
        answer.value = str(parse(field.value, field))

    field.observe(typed, "value")
    parse("", field)
    return widgets.VBox([field, answer])
