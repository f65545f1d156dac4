"""On what, and with what, it was measured; nothing that tells whose machine it is."""

import datetime as dt
import json
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import psutil

from benchmarks.support import plot

_CPUINFO = Path("/proc/cpuinfo")
_PACKAGES = (
    "solara-ctx",
    "solara",
    "reacton",
    "ipyvuetify",
    "ipykernel",
    "ipython",
    "ipywidgets",
    "starlette",
    "uvicorn",
    "websockets",
)


def facts() -> dict[str, object]:
    """The machine and the interpreter."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions() -> dict[str, str]:
    """The packages that the figures depend on."""
    return {name: _version(name) for name in _PACKAGES}


def publish(name: str, rounds: Sequence[object], path: Path, panels: Sequence[plot.Panel], **options: object) -> None:
    """Say with what and on what it was measured, and write every figure of every round, and a plot beside them."""
    measured = ", ".join(f"{package} {version}" for package, version in versions().items())
    print(f"\n{measured}")
    print(", ".join(f"{fact}: {value}" for fact, value in facts().items()))
    when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    report = {"benchmark": name, "when": when, **options, "machine": facts(), "versions": versions(), "rounds": rounds}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(plot.write(path.with_suffix(".svg"), panels, measured))


def load() -> float:
    """How many processes wanted a processor, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
