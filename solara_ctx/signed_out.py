"""Which users have signed out lately: a page that they loaded before must not start a kernel afterwards."""

import threading
from collections.abc import Iterator


class SignedOut:
    """Remembers users for as long as a page may be used that was loaded before.  Safe from any thread.

    Args:
        remember_s: How long that is, in seconds.
    """

    def __init__(self, remember_s: float) -> None:
        self._remember_s = remember_s
        # Held while the table is replaced; it is read without.
        self._lock = threading.Lock()
        self._at: dict[str, float] = {}

    def add(self, user: str, now: float) -> None:
        """A user has signed out."""
        with self._lock:
            recent = {name: at for name, at in self._at.items() if now - at < self._remember_s}
            self._at = {**recent, user: now}

    def since(self, user: str | None, moment: float) -> bool:
        """Whether a user has signed out since *moment*."""
        at = None if user is None else self._at.get(user)
        return at is not None and moment <= at

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)
