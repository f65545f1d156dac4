"""`matplotlib.rcParams`, and the two defaults beside it, per kernel.

One object each, which hundreds of modules have imported: so it is where they read and write that is patched.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from solara_ctx import current
from solara_ctx.patching.per_kernel import belonging
from solara_ctx.patching.stack import Patch

UPSTREAM = "matplotlib 3.11"
_OBJECTS = ("rcParams", "rcParamsDefault", "rcParamsOrig")
BACKEND = "agg"
"""What kernels draw with unless told otherwise: it needs no display, and a page shows its pictures."""

Table = dict[str, Any]


class Settings:
    """One kernel's, by the name of the object: copies of the process's, made when the kernel first looks."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def sever(self) -> None:
        """Hold none any more."""
        self.tables = {}


def patches(matplotlib: ModuleType) -> Sequence[Patch]:
    """The patches of `matplotlib.RcParams`, in the order in which they are applied."""
    access = _Access(matplotlib)
    return tuple(
        Patch(
            target=matplotlib.RcParams,
            attribute=attribute,
            make=make,
            why="rcParams are the process's: one page's plt.style.use() would be everybody's",
            upstream=UPSTREAM,
        )
        for attribute, make in (
            ("_get", access.getter),
            ("_set", access.setter),
            ("_update_raw", access.updater),
            ("__iter__", access.iterator),
            ("__len__", access.counter),
            ("__or__", access.union),
            ("__ror__", access.union_from_the_right),
            ("__ior__", access.union_in_place),
        )
    )


class _Access:
    """Where RcParams reads and writes its data: those of the kernel that is current, if it is one of the three."""

    def __init__(self, matplotlib: ModuleType) -> None:
        # With the objects, so that an id stays its own.
        self._names = {id(params): (name, params) for name in _OBJECTS for params in [getattr(matplotlib, name)]}

    def _table(self, params: Any) -> Table | None:
        known = self._names.get(id(params))
        if known is None:
            return None
        settings = belonging(Settings)
        if settings is None:
            return None
        table = settings.tables.get(known[0])
        if table is None:
            table = settings.tables.setdefault(known[0], _copy(params))
        return table

    def getter(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def _get(params: Any, key: str) -> Any:
            # Each plot asks a thousand times: where no kernel is current, it is one look.
            table = None if current.peek_handle() is None else self._table(params)
            return original(params, key) if table is None else table[key]

        return _get

    def setter(self, original: Callable[..., None]) -> Callable[..., None]:
        def _set(params: Any, key: str, value: Any) -> None:
            table = self._table(params)
            if table is None:
                original(params, key, value)
            else:
                if key == "backend":
                    refuse_windows(value)
                table[key] = value

        return _set

    def updater(self, original: Callable[..., None]) -> Callable[..., None]:
        def _update_raw(params: Any, other: Any) -> None:
            known = self._known(other)
            table = self._table(params)
            if table is None:
                original(params, known)
            else:
                table.update(_items(known))

        return _update_raw

    def iterator(self, original: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
        def __iter__(params: Any) -> Iterator[str]:  # noqa: N807 - replaces it
            table = self._table(params)
            return original(params) if table is None else iter(sorted(table))

        return __iter__

    def counter(self, original: Callable[..., int]) -> Callable[..., int]:
        def __len__(params: Any) -> int:  # noqa: N807 - replaces it
            table = self._table(params)
            return original(params) if table is None else len(table)

        return __len__

    def union(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __or__(params: Any, other: Any) -> Any:  # noqa: N807 - replaces it
            table = self._table(params)
            return original(params, other) if table is None else table | self._known(other)

        return __or__

    def union_from_the_right(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __ror__(params: Any, other: Any) -> Any:  # noqa: N807 - replaces it
            table = self._table(params)
            return original(params, other) if table is None else other | table

        return __ror__

    def union_in_place(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __ior__(params: Any, other: Any) -> Any:  # noqa: N807 - replaces it
            table = self._table(params)
            if table is None:
                return original(params, other)
            table.update(self._known(other))
            return params

        return __ior__

    def _known(self, other: Any) -> Any:
        theirs = self._table(other)
        return other if theirs is None else theirs


def _items(params: Any) -> Any:
    # Of RcParams its data, as upstream takes them: to ask for the backend would have one chosen.
    return dict.items(params) if isinstance(params, dict) else params


def _copy(params: Any) -> Table:
    table = {key: list(value) if type(value) is list else value for key, value in dict.items(params)}
    if not can_show(table.get("backend")):
        table["backend"] = BACKEND
    return table


def can_show(backend: object) -> bool:
    """Whether a backend, by its name, is of any use in a page; matplotlib has to be imported.

    It is not when it opens windows, or speaks with the classic notebook, or is still to be chosen.
    """
    backends = sys.modules["matplotlib.backends"]
    with_windows = backends.backend_registry.list_builtin(backends.BackendFilter.INTERACTIVE)
    return isinstance(backend, str) and backend.lower() not in {*with_windows, "notebook"}


def refuse_windows(backend: object) -> None:
    """Refuse a backend for a kernel that is of no use in a page.

    Raises:
        ImportError: it opens windows, on the server; as upstream where a backend can't be used.
    """
    if isinstance(backend, str) and not can_show(backend):
        raise ImportError(of_no_use(backend, backend))


def of_no_use(backend: str, windows: str) -> str:
    """What to say of a backend that opens windows."""
    return (
        f"the matplotlib backend {backend!r} is of no use in a page: it would open windows of {windows} on the server; "
        'use "agg", whose pictures plt.show() displays, or "ipympl" for figures that answer to the mouse'
    )
