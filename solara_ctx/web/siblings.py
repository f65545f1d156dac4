"""Whether this process is one of several that serve the same app."""

import multiprocessing
import os
import sys


def may_have_siblings() -> bool:
    """Whether somebody has started this process to serve an app, as uvicorn does with `--workers`, and gunicorn always.

    How many there are, neither tells its children.  `uvicorn --reload` starts one at a time.
    """
    if os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
        return True
    return multiprocessing.parent_process() is not None and "--reload" not in sys.argv
