"""What a person who tries everything does with a widget, as its view in a browser would send it."""

from collections.abc import Callable, Iterator, Mapping

Json = dict[str, object]
State = Mapping[str, object]

_TEXT, _OTHER_TEXT = "leak check", "check"


def gestures(model: str, state: State) -> Iterator[Json]:
    """The data of each message to a widget; none for one that is disabled, or that nobody can use.

    Args:
        model: The name of its model, "IntSliderModel" for example.
        state: What the page knows of it.
    """
    if state.get("disabled"):
        return
    if model == "ButtonModel":
        yield {"method": "custom", "content": {"event": "click"}}
        return
    name = model.removesuffix("Model")
    for update in next((found for look in _LOOKS if (found := look(name, state))), []):
        yield {"method": "update", "state": update, "buffer_paths": []}


def _toggled(name: str, state: State) -> list[Json]:
    if name not in {"Checkbox", "ToggleButton"}:
        return []
    value = bool(state.get("value"))
    return [{"value": not value}, {"value": value}]


def _typed(name: str, state: State) -> list[Json]:
    if name not in {"Text", "Textarea", "Combobox", "Password"}:
        return []
    return [{"value": _TEXT if state.get("value") != _TEXT else _OTHER_TEXT}]


def _moved(name: str, state: State) -> list[Json]:
    value = state.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not ("Slider" in name or name.endswith("Text")):
        return []
    lowest, highest, step = state.get("min"), state.get("max"), state.get("step")
    moved = value + (step if isinstance(step, int | float) and step else 1)
    if isinstance(highest, int | float) and moved > highest:
        return [{"value": value if lowest is None else lowest}]
    return [{"value": moved}]


def _spread(name: str, state: State) -> list[Json]:
    if "RangeSlider" not in name or "min" not in state or "max" not in state:
        return []
    return [{"value": [state["min"], state["max"]]}]


def _chosen(name: str, state: State) -> list[Json]:
    labels, index = state.get("_options_labels"), state.get("index")
    if not isinstance(labels, list) or len(labels) < _A_CHOICE:
        return []
    if isinstance(index, list):
        return [{"index": [0, 1] if "Range" in name else [0]}]
    return [{"index": ((index if isinstance(index, int) else -1) + 1) % len(labels)}]


def _opened(name: str, state: State) -> list[Json]:
    children = state.get("children")
    if name not in {"Tab", "Accordion", "Stack"} or not isinstance(children, list):
        return []
    return [{"selected_index": number} for number in range(len(children))]


_A_CHOICE = 2
_LOOKS: tuple[Callable[[str, State], list[Json]], ...] = (_toggled, _typed, _moved, _spread, _chosen, _opened)
