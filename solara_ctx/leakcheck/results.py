"""What a check has measured, and what it found: frozen, printable, and the same for the terminal, HTML and JSON."""

from dataclasses import dataclass, field

from solara_ctx.leakcheck.messages import Chain, Growth, Origin, Taken
from solara_ctx.leakcheck.trend import Slope


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The app at rest, after a cycle of sessions or some uses."""

    done: int
    """Sessions, or uses, since the measuring began."""
    uss: int
    """Bytes."""
    by_refcount: int
    """Closed kernels that were freed by reference counting, since the app's start."""
    by_gc: int
    """The same by the garbage collector."""
    kept: int
    """Closed kernels that are still there."""
    seconds: float
    """How long it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One part of a check: cycles of sessions, or uses within one session."""

    unit: str
    """"session" or "use"."""
    per: int
    """How many of them lie between two measures."""
    measures: tuple[Measure, ...]
    growth: tuple[Growth, ...] = ()
    chains: tuple[Chain, ...] = ()
    origins: tuple[Origin, ...] = ()
    """Of some more sessions, that were traced because something leaks."""
    taken: tuple[Taken, ...] = ()
    """What has taken something of these."""
    traced: int = 0
    """How many those were."""
    traced_bytes: int = 0
    """What is left of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is a leak, or that is worth knowing."""

    what: str
    file: str | None = None
    line: int | None = None
    code: str = ""
    """The line itself."""
    chain: str = ""
    """What holds it, in one line."""
    chain_svg: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a series comes to."""

    series: Series
    slope: Slope | None
    """Bytes per session or use; `None` where too little was measured."""
    leaks: tuple[Finding, ...]
    notes: tuple[Finding, ...] = ()

    @property
    def leaking(self) -> bool:
        """Whether there is a leak."""
        return bool(self.leaks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All of a check."""

    target: str
    paths: tuple[str, ...]
    sessions: Verdict
    uses: Verdict | None
    """Within one session; `None` if that was not asked for."""
    seconds: float
    remarks: tuple[str, ...] = field(default=())

    @property
    def leaking(self) -> bool:
        """Whether there is a leak."""
        return self.sessions.leaking or (self.uses is not None and self.uses.leaking)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of the sessions, and of the uses if there is one."""
        return (self.sessions,) if self.uses is None else (self.sessions, self.uses)
