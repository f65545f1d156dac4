"""The words of the subprotocol of our own pages."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solara_ctx.web import resume
from solara_ctx.web.resume import Ack, BadWord, Hello, Ping, Welcome


def test_words_of_a_page() -> None:
    """Each of the three, with whatever a later version may add."""
    assert resume.read('{"type": "hello", "stream": null, "seen": 0}') == Hello(None, 0)
    assert resume.read('{"type": "hello", "stream": "abc", "seen": 7, "new": 1}') == Hello("abc", 7)
    assert resume.read('{"type": "ack", "seen": 12}') == Ack(12)
    assert isinstance(resume.read('{"type": "ping"}'), Ping)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "7",
        "[]",
        '"hello"',
        "{}",
        "{",
        "[" * 900,
        '{"type": "ack"}',
        '{"type": "ack", "seen": -1}',
        '{"type": "ack", "seen": 1.0}',
        '{"type": "ack", "seen": true}',
        '{"type": "ack", "seen": "7"}',
        '{"type": "hello", "stream": 7, "seen": 0}',
        '{"type": "hello", "stream": null}',
        '{"type": "welcome", "seen": 0}',
        '{"type": ["ack"], "seen": 0}',
        '{"type": "ack", "seen": 0}' + " " * 1000,
    ],
)
def test_anything_else_is_no_word(text: str) -> None:
    """And is told apart from one by one error."""
    with pytest.raises(BadWord):
        resume.read(text)


@given(
    st.text()
    | st.recursive(st.none() | st.integers() | st.text(), lambda part: st.dictionaries(st.text(), part)).map(json.dumps)
)
def test_no_text_breaks_the_reader(text: str) -> None:
    """It reads a word, or says that there is none."""
    try:
        resume.read(text)
    except BadWord:
        return


def test_words_of_the_server() -> None:
    """As the page reads them."""
    welcome = Welcome(stream="abc", seen=3, after=7, resync="too-long")
    said = welcome.write(silence_s=40.0, keep_messages=10, keep_bytes=100, keep_s=60.0)
    word: Any = json.loads(said.text)
    assert word == {
        "type": "welcome",
        "stream": "abc",
        "seen": 3,
        "from": 7,
        "resync": "too-long",
        "silence": 40.0,
        "keep": {"messages": 10, "bytes": 100, "seconds": 60.0},
    }
    for other, content in (
        (resume.ack(5), {"type": "ack", "seen": 5}),
        (resume.draining(1.25), {"type": "draining", "delay": 1.25}),
        (resume.ALIVE, {"type": "alive"}),
    ):
        assert json.loads(other.text) == content
        assert other.kind == content["type"]
    assert said.kind == "welcome"
