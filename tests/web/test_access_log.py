"""Kernel ids out of a server's access log."""

import logging

import pytest

from solara_ctx.web.access_log import RedactKernelIds

KERNEL_ID = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4YQ"


def test_an_id_is_shortened_wherever_a_server_puts_it(caplog: pytest.LogCaptureFixture) -> None:
    """In uvicorn's arguments and in a plain message, and the rest stays as it was."""
    log = logging.getLogger("tests.access")
    redacting = RedactKernelIds()
    log.addFilter(redacting)
    with caplog.at_level(logging.INFO, "tests.access"):
        log.info('%s - "%s %s" %d', "127.0.0.1", "GET", f"/sub/api/kernels/{KERNEL_ID}/channels?x=1", 200)
        log.info(f"WebSocket /api/kernels/{KERNEL_ID}")  # noqa: G004 - some servers log like that
        log.info('"GET %s"', f"/sub/files/{KERNEL_ID}/{KERNEL_ID[:22]}/a%20b.csv")
        log.info("nothing here: %s", {"a": 1})
    log.removeFilter(redacting)
    assert KERNEL_ID[:22] not in caplog.text
    assert caplog.messages[0] == '127.0.0.1 - "GET /sub/api/kernels/Zm9vYm…/channels?x=1" 200'
    assert caplog.messages[1] == "WebSocket /api/kernels/Zm9vYm…"
    assert caplog.messages[2] == '"GET /sub/files/Zm9vYm…/…/a%20b.csv"'
    assert caplog.messages[3] == "nothing here: {'a': 1}"
