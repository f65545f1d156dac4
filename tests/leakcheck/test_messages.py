"""What goes through the pipe."""

import io

import pytest

from solara_ctx.leakcheck.messages import Hello, Request, encode, read


def test_there_and_back() -> None:
    """One message after the other."""
    messages = [Request("settle", (3.5,)), Hello(port=80, pages=("/",))]
    stream = io.BytesIO(b"".join(map(encode, messages)))
    assert [read(stream), read(stream)] == messages


@pytest.mark.parametrize("length", [0, 2, 9], ids=["nothing", "half a header", "half a body"])
def test_the_end_of_the_pipe(length: int) -> None:
    """Wherever it comes."""
    with pytest.raises(EOFError):
        read(io.BytesIO(encode(Request("kernels"))[:length]))
