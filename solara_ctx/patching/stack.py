"""Patches as records, applied and reverted as one counted stack."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from solara_ctx.patching.imports import ImportHook

log = logging.getLogger(__name__)

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One attribute of somebody else's that is replaced while a service runs."""

    target: Any
    """The module or class, or an object whose class is replaced."""
    attribute: str
    make: Callable[[Any], Any]
    """Makes the replacement from the original, for which it is given what the attribute yields now."""
    why: str
    upstream: str
    """The package and the versions that it was written against."""
    undo: Callable[[Any], Any] | None = None
    """Makes what is to stand there at the end from what stands there then, for what others replace in the normal
    course of things, too (`sys.stdout`).  `None`: the original, if the replacement is still there.
    """
    adds: bool = False
    """A class is given what only its instances have so far; `make` is given `None`."""

    def __str__(self) -> str:
        return f"{getattr(self.target, '__name__', self.target)}.{self.attribute}"


@dataclass(frozen=True, slots=True)
class _Applied:
    patch: Patch
    original: object
    replacement: object


Late = Mapping[str, Callable[[ModuleType], Sequence[Patch]]]


class PatchStack:
    """Applies patches with the first `acquire`, reverts them in reverse order with the last `release`.  Any thread.

    Args:
        patches: Those of what is always there.
        late: Those of modules of libraries that may be there or not, by the module's name: applied once somebody else
            has imported it.  A library that is not what they were made for is left as it is, and the log says so.
    """

    def __init__(self, patches: Callable[[], Sequence[Patch]], late: Late | None = None) -> None:
        self._patches = patches
        self._late = dict(late or {})
        self._hook = ImportHook(frozenset(self._late), self._imported)
        # Protects the fields below.  Re-entrant: what makes a replacement may import something.
        self._lock = threading.RLock()
        self._users = 0
        self._applied: list[_Applied] = []
        self._patched: set[str] = set()

    @property
    def users(self) -> int:
        """How many services need the patches."""
        return self._users

    @property
    def applied(self) -> tuple[Patch, ...]:
        """The patches that are in place, in the order in which they were applied."""
        return tuple(applied.patch for applied in self._applied)

    def acquire(self) -> None:
        """One more service needs the patches.

        Raises:
            AttributeError: upstream has no such attribute any more; nothing is patched then.
        """
        with self._lock:
            if self._users == 0:
                try:
                    for patch in self._patches():
                        self._apply(patch)
                except BaseException:
                    self._revert_all()
                    raise
                self._hook.install()
            self._users += 1
        # Without the lock: another thread may be importing one of them, and wait for the lock at the end of that.
        self._hook.tell_of_those_loaded()

    def release(self) -> None:
        """One service less needs the patches.

        Raises:
            RuntimeError: none needed them.
        """
        with self._lock:
            if self._users == 0:
                raise RuntimeError("patches were released more often than acquired")
            self._users -= 1
            if self._users == 0:
                self._hook.remove()
                self._revert_all()

    def _imported(self, module: ModuleType) -> None:
        """A module that has late patches is there now."""
        name = module.__name__
        with self._lock:
            if self._users == 0 or name in self._patched:
                return
            before = len(self._applied)
            try:
                for patch in self._late[name](module):
                    self._apply(patch)
            except Exception:
                self._revert_all(before)
                log.exception("%s is not what it was; what it keeps is shared by all kernels", name)
            self._patched.add(name)

    def _apply(self, patch: Patch) -> None:
        original = _own(patch)
        replacement = patch.make(None if patch.adds else getattr(patch.target, patch.attribute))
        setattr(patch.target, patch.attribute, replacement)
        self._applied.append(_Applied(patch, original, _own(patch)))

    def _revert_all(self, down_to: int = 0) -> None:
        if down_to == 0:
            self._patched.clear()
        while len(self._applied) > down_to:
            applied = self._applied.pop()
            patch = applied.patch
            if patch.undo is not None:
                setattr(patch.target, patch.attribute, patch.undo(getattr(patch.target, patch.attribute)))
            elif _own(patch) is not applied.replacement:
                log.warning("%s was replaced by somebody else after we had replaced it; left as it is", patch)
            elif applied.original is _ABSENT:
                delattr(patch.target, patch.attribute)
            else:
                setattr(patch.target, patch.attribute, applied.original)


def _own(patch: Patch) -> object:
    """What stands in the target itself: a class may inherit the attribute, and must go on doing so afterwards."""
    if patch.attribute == "__class__":
        return type(patch.target)
    return vars(patch.target).get(patch.attribute, _ABSENT)
