"""Kernel ids out of a server's access log."""

import logging
import re

from solara_ctx.errors import redact

_IN_PATH = re.compile(r"(?:(?<=/api/kernels/)|(?<=/files/))[\w-]{20,}")
# What a file is called by tells more than who offers it.
_TOKEN_IN_PATH = re.compile(r"(/files/[^/\s]+/)[\w-]{20,}")


class RedactKernelIds(logging.Filter):
    """Shortens kernel ids in the paths that a server logs.

    An id is of no use without its session's cookie, but a log is read by more people than a cookie is.  For uvicorn::

        for name in ("uvicorn.access", "uvicorn.error"):
            logging.getLogger(name).addFilter(RedactKernelIds())
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, with its ids shortened."""
        if isinstance(record.args, tuple):
            record.args = tuple(_shortened(argument) for argument in record.args)
        record.msg = _shortened(record.msg)
        return True


def _shortened(value: object) -> object:
    if not isinstance(value, str):
        return value
    value = _TOKEN_IN_PATH.sub(r"\1…", value)
    return _IN_PATH.sub(lambda found: redact(found[0]), value)
