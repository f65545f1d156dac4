"""What stands for a library's one value, or one dictionary, in each kernel."""

from typing import Any

import pytest

from solara_ctx.patching.per_kernel import KernelAttribute, KernelDict, Values
from tests.support.kernels import StandInContext


class Settings:
    """A library's."""

    theme = KernelAttribute("theme")
    options = KernelAttribute("options", dict)

    def __init__(self) -> None:
        self.theme = "light"
        self.options = {"size": 1}


def test_a_value_is_the_processs_until_the_kernel_sets_its_own(kernel: StandInContext, other: StandInContext) -> None:
    """And each instance has its own."""
    settings, second = Settings(), Settings()
    kernel.run(setattr, settings, "theme", "dark")
    assert [kernel.run(getattr, each, "theme") for each in (settings, second)] == ["dark", "light"]
    settings.theme = "blue"
    assert [settings.theme, other.run(lambda: settings.theme), kernel.run(lambda: settings.theme)] == [
        "blue",
        "blue",
        "dark",
    ]


def test_what_is_changed_in_place_is_a_copy(kernel: StandInContext) -> None:
    """Made when the kernel first looks; the process sees its own, not a copy."""
    settings = Settings()
    kernel.run(lambda: settings.options.update(size=2))
    assert kernel.run(lambda: settings.options) == {"size": 2}
    assert settings.options == {"size": 1}
    assert settings.options is settings.options


def test_an_attribute_that_is_not_there(kernel: StandInContext) -> None:
    """It is missing in the usual way; the class has the descriptor."""
    empty = Settings.__new__(Settings)
    for run in (kernel.run, lambda function: function()):
        with pytest.raises(AttributeError, match="theme"):
            run(lambda: empty.theme)
    assert isinstance(Settings.theme, KernelAttribute)


def test_a_dictionary_of_each_kernel(kernel: StandInContext, other: StandInContext) -> None:
    """With all that dictionaries do."""
    outside = {"a": 0}
    table: Any = KernelDict(outside, Values)

    def use(number: int) -> None:
        assert (len(table), "a" in table, list(table)) == (0, False, [])
        table["a"], table["b"] = number, number
        del table["b"]
        table.setdefault("c", number)
        assert repr(table) == f"<per kernel, here {{'a': {number}, 'c': {number}}}>"

    kernel.run(use, 1)
    other.run(use, 2)
    assert [kernel.run(lambda: table["a"]), other.run(lambda: table["a"]), table["a"]] == [1, 2, 0]
    assert outside == {"a": 0}
