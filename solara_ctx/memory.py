"""How much memory this process takes."""

import os
from functools import cache

import psutil


def this_process() -> psutil.Process:
    """The process that asks; after a fork, another one."""
    return _process(os.getpid())


def resident_bytes() -> int:
    """The resident memory of this process.  Any thread; a few microseconds."""
    return int(this_process().memory_info().rss)


@cache
def _process(pid: int) -> psutil.Process:
    return psutil.Process(pid)
