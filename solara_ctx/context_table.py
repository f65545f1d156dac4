"""The contexts by kernel id, for whoever looks at them while they come and go."""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView

from solara_ctx.context import VirtualKernelContext


class ContextTable(Mapping[str, VirtualKernelContext]):
    """A read-only mapping from kernel id to context.  Any thread may read it; the event loop's changes it."""

    def __init__(self) -> None:
        self._contexts: dict[str, VirtualKernelContext] = {}

    def __getitem__(self, kernel_id: str) -> VirtualKernelContext:
        return self._contexts[kernel_id]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._contexts))

    def __len__(self) -> int:
        return len(self._contexts)

    # Of a copy, as other threads may look while kernels come and go.

    def keys(self) -> KeysView[str]:
        return dict.fromkeys(self._contexts.copy()).keys()  # of ids only: somebody may keep it

    def values(self) -> ValuesView[VirtualKernelContext]:
        return self._contexts.copy().values()

    def items(self) -> ItemsView[str, VirtualKernelContext]:
        return self._contexts.copy().items()
