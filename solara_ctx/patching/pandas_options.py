"""`pandas.options` per kernel, as far as they are about what is shown.

Those about how pandas computes are the process's: their values are copied into its compiled parts.
"""

import copy
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from solara_ctx.patching.per_kernel import Values, belonging
from solara_ctx.patching.stack import Patch

_UPSTREAM = "pandas 3.1"
SHOWN = frozenset({"display", "plotting", "styler"})
"""The sections that each kernel has of its own."""


def patches(config: ModuleType) -> Sequence[Patch]:
    """The patches of pandas' options."""
    return (
        Patch(
            target=config,
            attribute="_get_root",
            make=lambda original: _get_root(config, original),
            why="one page's pd.set_option() would be everybody's",
            upstream=_UPSTREAM,
        ),
    )


class _Options(Values):
    """One kernel's sections: copies of the process's, made when the kernel first looks."""


def _get_root(config: Any, original: Callable[[str], Any]) -> Callable[[str], Any]:
    def _get_root(key: str) -> Any:
        """The dictionary that holds the value of an option, and the key in there."""
        section, *path = key.split(".")
        own = belonging(_Options) if section in SHOWN and path else None
        if own is None:
            return original(key)
        if section not in own:
            own[section] = copy.deepcopy(config._global_config[section])
        place = own[section]
        for name in path[:-1]:
            place = place[name]
        return place, path[-1]

    return _get_root
