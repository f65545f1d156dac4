"""The process's streams: captured where a page's Output asks for it, and the real ones in every other respect."""

import builtins
import contextlib
import faulthandler
import inspect
import io
import logging
import subprocess
import sys
import threading
import traceback
from typing import Any

import pytest
from ipywidgets import Output

from solara_ctx import patching
from solara_ctx.jupyter import outputs
from solara_ctx.patching.streams import CapturedStream
from tests.support.kernels import StandInContext, fail, patched


def test_a_captured_stream_is_its_stream() -> None:
    """Attributes and methods are the stream's own, whatever they are; so is what is set on it."""
    inner = io.TextIOWrapper(io.BytesIO(), encoding="utf-16", newline="\n")
    stream: Any = CapturedStream("stdout", inner)
    assert stream.write("abc") == 3
    stream.writelines(["d", "e"])
    stream.flush()
    assert inner.buffer.getvalue().decode("utf-16") == "abcde"
    assert (stream.encoding, stream.isatty(), stream.closed) == ("utf-16", False, False)
    assert stream.buffer is inner.buffer
    stream.reconfigure(line_buffering=True)
    assert inner.line_buffering
    stream.mode = "w"
    assert inner.mode == "w"
    assert "stdout" in repr(stream)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = stream.nonsense
    with stream as entered:
        assert entered is stream
    assert inner.closed


def test_lines_can_be_read() -> None:
    """Of a stream that is open for reading, too."""
    stream: Any = CapturedStream("stdout", io.StringIO("a\nb\n"))
    assert list(stream) == ["a\n", "b\n"]


def test_who_replaces_write_is_not_called_by_himself() -> None:
    """A tool that wraps `sys.stdout.write` around the one it found does not end in a recursion."""
    inner = io.StringIO()
    stream: Any = CapturedStream("stdout", inner)
    found, tee = stream.write, []

    def write(text: str) -> int:
        tee.append(text)
        return int(found(text))

    stream.write = write
    stream.write("a")
    stream.write = found
    stream.write("b")
    assert (tee, inner.getvalue()) == (["a"], "ab")


def test_streams_come_and_go_with_the_patches() -> None:
    """While a service runs they are wrapped, once; afterwards they are what they were."""
    before = (sys.stdout, sys.stderr)
    with patched():
        wrapped = sys.stdout
        assert isinstance(wrapped, CapturedStream)
        assert isinstance(sys.stderr, CapturedStream)
        with patched():
            assert sys.stdout is wrapped
    assert (sys.stdout, sys.stderr) == before


def test_a_stream_that_somebody_has_put_back_is_not_wrapped_twice() -> None:
    """Ours may have been saved by a block that ends after the service: the next service takes it as it is."""
    before = sys.stdout
    with patched():
        saved = sys.stdout
    sys.stdout = saved
    try:
        with patched():
            assert sys.stdout is saved
        assert sys.stdout is before
    finally:
        sys.stdout = before


def test_a_process_without_streams() -> None:
    """Where there is no stdout, under pythonw for example, nothing is wrapped and an Output still works."""
    before = (sys.stdout, sys.stderr)
    sys.stdout = sys.stderr = None
    try:
        with patched():
            context = StandInContext()
            out = context.run(Output)

            def use() -> None:
                with out:
                    print("x")

            context.run(use)
            assert out.outputs == ()
            context.close()
    finally:
        sys.stdout, sys.stderr = before


def test_a_redirect_wins_inside_and_is_captured_around(kernel: StandInContext) -> None:
    """`redirect_stdout` in an Output gets the text; an Output in a `redirect_stdout` captures it; both end cleanly."""
    out = kernel.run(Output)
    inside, around = io.StringIO(), io.StringIO()

    def use() -> None:
        with out, contextlib.redirect_stdout(inside):
            print("redirected")
        with contextlib.redirect_stdout(around):
            with out:
                print("captured")
            print("after")

    kernel.run(use)
    assert inside.getvalue() == "redirected\n"
    assert [output["text"] for output in out.outputs] == ["captured\n"]
    assert around.getvalue() == "after\n"


def test_a_handler_made_inside_a_service_outlives_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A log handler that has got hold of our stream goes on writing to the real one."""
    with patched():
        handler = logging.StreamHandler(sys.stderr)
    handler.emit(logging.makeLogRecord({"msg": "hello"}))
    assert capsys.readouterr().err == "hello\n"


def test_displayhook_outside_a_kernel(kernel: StandInContext, capsys: pytest.CaptureFixture[str]) -> None:
    """The value of an expression at a process's own prompt, or in a kernel without a shell, is shown as ever."""
    before = getattr(builtins, "_", None)
    sys.displayhook("plain")
    kernel.run(sys.displayhook, "no shell")
    assert capsys.readouterr().out == "'plain'\n'no shell'\n"
    if before is None:
        del builtins._  # type: ignore[attr-defined]


def test_service_and_streams_in_another_thread() -> None:
    """A service may be started and stopped in any thread."""
    seen: list[bool] = []

    def run() -> None:
        patching.acquire()
        seen.append(isinstance(sys.stdout, CapturedStream))
        patching.release()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [True]


def test_what_asks_for_the_real_stream_gets_it(capfd: pytest.CaptureFixture[str]) -> None:
    """Descriptors, buffers, terminals, faulthandler and subprocesses: as without us, in a kernel and outside."""
    with open(1, "w", closefd=False, encoding="utf-8") as real, patched():
        stream: Any = CapturedStream("stdout", real)
        context = StandInContext()

        def use() -> None:
            assert stream.fileno() == 1
            assert not stream.isatty()
            assert (stream.encoding, stream.errors, stream.closed) == ("utf-8", "strict", False)
            stream.buffer.write(b"bytes\n")
            stream.flush()
            faulthandler.dump_traceback(stream, all_threads=False)
            subprocess.run([sys.executable, "-c", "print('child')"], stdout=stream, check=True)
            print("printed", file=stream, flush=True)

        use()
        context.run(use)
        context.close()
    out = capfd.readouterr().out
    for text in ("bytes\n", "Stack (most recent call first)", "child\n", "printed\n"):
        assert out.count(text) == 2


def test_handlers_in_a_kernel_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    """One that writes to our stream, and one that raises: what they do is theirs, and nothing is left behind."""
    with patched():
        context = StandInContext()
        handler = logging.StreamHandler(sys.stdout)
        context.run(handler.handle, logging.makeLogRecord({"msg": "hello"}))
        handler.emit = fail  # type: ignore[assignment,method-assign]
        with pytest.raises(LookupError):
            context.run(handler.handle, logging.makeLogRecord({"msg": "hello"}))
        assert context.run(outputs.peek) is None
        context.close()
    assert capsys.readouterr().out == "hello\n"


def test_canary_logging_handles_records_by_this_method() -> None:
    """Loggers call `handle` of each handler, which those of the standard library inherit."""
    assert "hdlr.handle(record)" in inspect.getsource(logging.Logger.callHandlers)
    assert "handle" not in vars(logging.StreamHandler)


def test_canary_warnings_and_tracebacks_are_written_from_their_modules() -> None:
    """By that they are told from what the user prints."""
    assert "file.write(text)" in inspect.getsource(sys.modules["warnings"])
    assert "print(line, file=file" in inspect.getsource(traceback.TracebackException.print)
