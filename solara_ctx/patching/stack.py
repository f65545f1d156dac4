"""Patches as records, applied and reverted as one counted stack."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One attribute of somebody else's that is replaced while a service runs."""

    target: Any
    """The module or class."""
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

    def __str__(self) -> str:
        return f"{getattr(self.target, '__name__', self.target)}.{self.attribute}"


@dataclass(frozen=True, slots=True)
class _Applied:
    patch: Patch
    original: object
    replacement: object


class PatchStack:
    """Applies patches with the first `acquire`, reverts them in reverse order with the last `release`.  Any thread."""

    def __init__(self, patches: Callable[[], Sequence[Patch]]) -> None:
        self._patches = patches
        # Protects both fields below.
        self._lock = threading.Lock()
        self._users = 0
        self._applied: list[_Applied] = []

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
            self._users += 1

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
                self._revert_all()

    def _apply(self, patch: Patch) -> None:
        # What stands in the target itself: a class may inherit the attribute, and must go on doing so afterwards.
        original = vars(patch.target).get(patch.attribute, _ABSENT)
        replacement = patch.make(getattr(patch.target, patch.attribute))
        setattr(patch.target, patch.attribute, replacement)
        self._applied.append(_Applied(patch, original, vars(patch.target)[patch.attribute]))

    def _revert_all(self) -> None:
        while self._applied:
            applied = self._applied.pop()
            patch = applied.patch
            if patch.undo is not None:
                setattr(patch.target, patch.attribute, patch.undo(getattr(patch.target, patch.attribute)))
            elif vars(patch.target).get(patch.attribute, _ABSENT) is not applied.replacement:
                log.warning("%s was replaced by somebody else after we had replaced it; left as it is", patch)
            elif applied.original is _ABSENT:
                delattr(patch.target, patch.attribute)
            else:
                setattr(patch.target, patch.attribute, applied.original)
