"""Stand-ins for what a library keeps in one place for the process: each kernel has its own."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from solara_ctx import current
from solara_ctx.jupyter.belongings import Belonging
from solara_ctx.jupyter.host import current_host

T = TypeVar("T", bound=Belonging)


def belonging(make: Callable[[], T]) -> T | None:
    """What the current kernel has; `None` where no kernel is current.  Never raises.

    Code that goes on after the end of its kernel, such as a block that is left late, has one that nobody else sees: it
    changes what is the process's as little as before.
    """
    if current.peek_handle() is None:
        return None
    host = current_host()
    return make() if host is None else host.belongings.of(make)


class Values(dict[Any, Any]):
    """Values of one kernel, by whatever key."""

    def sever(self) -> None:
        """Hold none any more."""
        self.clear()


def as_it_is(value: Any) -> Any:
    """For values that nobody changes in place."""
    return value


class KernelAttribute:
    """An attribute of the instances of a library's class, with one value per kernel.

    A kernel sees the process's value until it sets its own.

    Args:
        name: The attribute.
        own: Makes a kernel's value from the process's when it first looks: a copy of what is changed in place.
    """

    def __init__(self, name: str, own: Callable[[Any], Any] = as_it_is) -> None:
        self._name = name
        self._own = own

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        values = belonging(Values)
        key = id(instance), self._name
        try:
            if values is not None and key in values:
                return values[key][1]
            value = vars(instance)[self._name]
        except KeyError:
            raise AttributeError(self._name) from None
        own = value if values is None else self._own(value)
        if values is not None and own is not value:
            # With the instance, so that its id stays its own.
            values[key] = instance, own
        return own

    def __set__(self, instance: Any, value: Any) -> None:
        values = belonging(Values)
        if values is None:
            vars(instance)[self._name] = value
        else:
            values[id(instance), self._name] = instance, value


class KernelDict:
    """Stands for a module's dictionary: the one of the kernel that is current, outside a kernel the module's own.

    Args:
        outside: The module's own.
        make: Makes that of a kernel.
    """

    def __init__(self, outside: Any, make: Callable[[], T]) -> None:
        self._outside = outside
        self._make = make

    def _here(self) -> Any:
        own = belonging(self._make)
        return self._outside if own is None else own

    def __getitem__(self, key: Any) -> Any:
        return self._here()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._here()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._here())

    def __len__(self) -> int:
        return len(self._here())

    def __setitem__(self, key: Any, value: Any) -> None:
        self._here()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._here()[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._here(), name)

    def __repr__(self) -> str:
        return f"<per kernel, here {self._here()!r}>"
