"""Files and lines of the app's own code, as they are found and as they are shown."""

import functools
import site
import sysconfig
from pathlib import Path

import solara_ctx


@functools.cache
def is_user_file(file: str) -> bool:
    """Whether *file* is the app's own code: neither the standard library, nor installed, nor ours."""
    return not file.startswith("<") and not file.startswith(_elsewhere())


def shown(file: str | None, line: int | None) -> str:
    """A place for people: relative to where they are, where it lies below."""
    if file is None:
        return ""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path}:{line}" if line is not None else str(path)


@functools.cache
def _elsewhere() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = [sysconfig.get_path(name) for name in names]
    found += [*site.getsitepackages(), site.getusersitepackages(), str(Path(solara_ctx.__file__).parent)]
    return tuple(f"{folder}{sep}" for folder in dict.fromkeys(found) for sep in ("/", "\\"))
