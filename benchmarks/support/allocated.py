"""How many bytes of its memory a Python process really uses.

What the system sees of a process (its unique set size) says little about what was freed: the allocators keep what they
once had, for the next who asks. An arena of Python's is 1 MiB, and goes back to the system only once the last of its
thousands of objects is gone.
"""

import ctypes
import os
import re
import sys
import tempfile

_IN_USE = re.compile(rb"# bytes in allocated blocks *= *([\d,]+)")


class _MallInfo2(ctypes.Structure):
    _fields_ = [  # type: ignore[mutable-override]  # the way that ctypes wants it
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def in_use() -> int | None:
    """The bytes of all living objects: small ones from Python's allocator, others from the C library's.

    None where the C library is not glibc 2.33 or newer. Standard error is elsewhere for a millisecond, as Python writes
    its statistics there and nowhere else.
    """
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return None
    mallinfo2.restype = _MallInfo2
    info = mallinfo2()
    found = _IN_USE.search(_python_statistics())
    if found is None:
        return None
    return int(found[1].replace(b",", b"")) + int(info.uordblks) + int(info.hblkhd)


def _python_statistics() -> bytes:
    with tempfile.TemporaryFile() as file:
        standard_error = os.dup(2)
        try:
            os.dup2(file.fileno(), 2)
            sys._debugmallocstats()
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
        file.seek(0)
        return file.read()
