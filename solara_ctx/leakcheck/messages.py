"""What the checker and the process of the checked app say to each other, and how it gets across.

The channel is the process's own stdin and stdout, moved aside before any of the app's code runs.  There is no address
to connect to, so there is nothing that a production server would have to guard.
"""

import pickle
import struct
from dataclasses import dataclass
from typing import BinaryIO

from solara_ctx.leaks.explain import Explanation

HEADER = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Request:
    """One question; the answer is what the method of that name of `Probe` returns."""

    method: str
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """The question could not be answered."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The app is being served."""

    port: int
    pages: tuple[str, ...]
    """The paths of all its pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """The kernels of all `KernelApp`s of the process together."""

    started: int = 0
    open: int = 0
    """Not closed yet."""
    busy: int = 0
    """Jobs that run or wait in worker threads."""
    by_refcount: int = 0
    """Closed and freed by reference counting."""
    by_gc: int = 0
    """Closed and freed by the garbage collector."""
    kept: int = 0
    """Closed and still there."""
    abandoned_steps: int = 0
    """Steps of closing that took too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What holds closed kernels that should be gone."""

    explanation: Explanation
    count: int
    """How many of those that were looked at."""
    of: int
    """How many were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Something that is more after each step."""

    what: str
    kind: str
    """As that of a `Grower`."""
    per_step: float
    bound: int | None
    file: str | None
    line: int | None
    explanation: Explanation | None
    address: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A line of the app's code that has made what is still there."""

    file: str
    line: int
    code: str
    """The line itself."""
    count: int
    """How many objects."""
    size: int
    """Their bytes."""
    entry: bool
    """Whether something that was there before, or C code, holds some of them directly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An object from before that has taken new ones, and the line that has made most of these."""

    what: str
    """The type of that object."""
    count: int
    """How many it has taken."""
    origin: Origin
    address: int = 0
    """Where it is in the memory of the app's process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Where what was left over by some traced sessions was made."""

    origins: tuple[Origin, ...] = ()
    taken: tuple[Taken, ...] = ()
    size: int = 0
    """The bytes of all that is left, what libraries have made for the app's lines included."""


def encode(message: object) -> bytes:
    """A message as it goes through the pipe."""
    body = pickle.dumps(message)
    return HEADER.pack(len(body)) + body


def decode(body: bytes) -> object:
    """The message in *body*; both ends are the same package, and one has started the other."""
    return pickle.loads(body)  # noqa: S301 - from our own child or parent, through a pipe that nobody else has


def read(stream: BinaryIO) -> object:
    """The next message.

    Raises:
        EOFError: the other end is gone.
    """
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        raise EOFError
    (size,) = HEADER.unpack(header)
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return decode(body)
