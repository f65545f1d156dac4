"""Run a program's own command line with the probe beside it.

`python -m benchmarks.support.served MODULE:MAIN ARGUMENTS`
"""

import importlib
import sys

from benchmarks.support import probe


def main() -> None:
    target, *arguments = sys.argv[1:]
    module, _, name = target.partition(":")
    probe.start()
    sys.argv = [module, *arguments]
    sys.exit(getattr(importlib.import_module(module), name)())


if __name__ == "__main__":
    main()
