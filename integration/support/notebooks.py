"""ipywidgets' own documentation notebooks, as its source package has them."""

import subprocess
import sys
import tarfile
from pathlib import Path

# The last one whose source package has its documentation in it.
_PACKAGE = "ipywidgets==7.8.5"
_FOLDER = "docs/source/examples"


def downloaded(cache: Path) -> Path:
    """The folder of the notebooks, from the package index, or from *cache* where they are already."""
    examples = cache / _PACKAGE.replace("==", "-") / _FOLDER
    if not examples.exists():
        download = ("download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(cache), _PACKAGE)
        subprocess.run([sys.executable, "-m", "pip", *download], check=True)
        (archive,) = cache.glob("ipywidgets-*.tar.gz")
        with tarfile.open(archive) as package:
            package.extractall(cache, filter="data")
    return examples
