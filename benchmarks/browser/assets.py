"""What Solara's page loads from a CDN, put where Solara looks first, as its package `solara-assets` does.

By default its server fetches such a file once, when the first browser asks for it, and keeps it. So a server that is
warm has them all, and what is measured is the same; but the machine needs no CDN then, only npm's registry. The newest
`solara-assets` is older than the newest Solara and lacks some of its files, so they are taken from where it takes them.
"""

import asyncio
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks.support.process import BenchmarkFailed

_NAMED = re.compile(r"/_solara/cdn/+((?:@[\w.-]+/)?[\w.-]+@[\w.-]+)/")
_KEPT = Path(sys.prefix, "share", "solara", "cdn")
_LIMIT_S = 180.0


async def put_in_place(html: str) -> None:
    """Fetch the npm packages that a page names and that are not there yet.

    Raises:
        BenchmarkFailed: npm does not give one.
    """
    for package in sorted(set(_NAMED.findall(html))):
        if not (_KEPT / package).exists():
            await asyncio.to_thread(_fetch, package)


def _fetch(package: str) -> None:
    target = _KEPT / package
    target.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching {package} from npm's registry, once", file=sys.stderr, flush=True)
    # Beside its target, so that the last step is a rename: whatever is there is complete.
    with tempfile.TemporaryDirectory(dir=_KEPT) as folder:
        _npm("pack", "--silent", "--pack-destination", folder, package)
        (packed,) = Path(folder).glob("*.tgz")
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        Path(folder, "package").rename(target)


def _npm(*arguments: str) -> None:
    programs = Path(sys.executable).parent  # Node is a Python package, and in the same environment
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        subprocess.run(
            [programs / "npm", *arguments],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=True,
            timeout=_LIMIT_S,
        )
    except subprocess.CalledProcessError as failure:
        raise BenchmarkFailed(f"npm {' '.join(arguments)}: {failure.stderr[-2000:]}") from failure
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise BenchmarkFailed(f"npm {' '.join(arguments)}: {failure}") from failure
