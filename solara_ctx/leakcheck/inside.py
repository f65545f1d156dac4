"""The process of the app that is checked: serves it as in production, and answers the checker's questions."""

import contextlib
import logging
import os
import socket
import sys
import threading
import traceback
from typing import BinaryIO, cast

import uvicorn

from solara_ctx.errors import KernelContextError
from solara_ctx.leakcheck.hosting import keep_nothing_for_replay
from solara_ctx.leakcheck.messages import Failure, Hello, Request, encode, read
from solara_ctx.leakcheck.probe import Probe
from solara_ctx.serving import UsageError, load_app, log_config, mounted, redact_logs
from solara_ctx.web.app import KernelApp

log = logging.getLogger(__name__)

# For how long the stopping server waits for its connections.
_STOP_S = 5


class _Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and set `up`."""
        await super().startup(sockets)
        if self.started:
            self.up.set()


def main(target: str) -> int:
    """Serve *target* until the checker is gone.  Stdin and stdout are the channel to it."""
    requests, answers = _take_channel()
    try:
        app = load_app(target)
        probe = Probe([kernels for _, kernels in mounted(app)])
        for _, kernels in mounted(app):
            keep_nothing_for_replay(kernels)
        pages = tuple(f"{prefix}{path}" or "/" for prefix, kernels in mounted(app) for path in kernels.paths)
        config = uvicorn.Config(
            cast("KernelApp", app),
            ws="websockets-sansio",
            log_config=log_config(),
            log_level="info",
            timeout_graceful_shutdown=_STOP_S,
        )
    except (UsageError, KernelContextError) as error:
        _say(answers, Failure(str(error)))
        return 2
    except BaseException:  # noqa: BLE001 - whatever the app's module does wrong, its author wants to read it
        traceback.print_exc()
        _say(answers, Failure(f"the app could not be loaded:\n{traceback.format_exc()}"))
        return 2
    redact_logs()
    # Bound here, because the checker has to be told the port that the system picks.
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(config)
    hello = Hello(port=listener.getsockname()[1], pages=pages)
    answering = threading.Thread(
        target=_answer, args=(server, probe, hello, requests, answers), name="leakcheck-answers", daemon=True
    )
    answering.start()
    server.run(sockets=[listener])
    if not server.started:
        _say(answers, Failure("the app's lifespan failed to start"))
        return 2
    return 0


def _take_channel() -> tuple[BinaryIO, BinaryIO]:
    """Move stdin and stdout aside: what the app prints belongs into the log, and it has nobody to read from."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _answer(server: _Server, probe: Probe, hello: Hello, requests: BinaryIO, answers: BinaryIO) -> None:
    server.up.wait()
    _say(answers, hello)
    with contextlib.suppress(EOFError, OSError):
        while True:
            request = read(requests)
            if not isinstance(request, Request):
                break
            try:
                answer: object = getattr(probe, request.method)(*request.arguments)
            except Exception as error:  # the checker shows it
                log.exception("leakcheck could not %s", request.method)
                answer = Failure(f"{request.method}: {type(error).__name__}: {error}")
            _say(answers, answer)
            # Nothing that was said may live until the next question: it would be found, and measured.
            del request, answer
    # The checker has ended, or asks for the end by closing the pipe.
    server.should_exit = True


def _say(answers: BinaryIO, message: object) -> None:
    with contextlib.suppress(OSError):
        answers.write(encode(message))
        answers.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
