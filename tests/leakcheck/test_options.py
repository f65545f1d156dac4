"""The arguments."""

import argparse
from pathlib import Path

import pytest

from solara_ctx.leakcheck.options import add_arguments


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser


def test_the_defaults(parser: argparse.ArgumentParser) -> None:
    """Ten cycles of ten sessions, and twenty uses."""
    options = parser.parse_args(["app.py"])
    assert (options.sessions, options.cycles, options.churn, options.path) == (10, 10, 20, [])
    assert (options.output, options.script, options.json, options.headed) == (
        Path("leakcheck-report"),
        None,
        False,
        False,
    )


@pytest.mark.parametrize("wrong", [["--sessions", "0"], ["--cycles", "2"], ["--churn", "2"], ["--sessions", "x"], []])
def test_nonsense_is_refused(parser: argparse.ArgumentParser, wrong: list[str]) -> None:
    """With status 2, as everywhere."""
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["app.py", *wrong] if wrong else [])
    assert ended.value.code == 2


def test_no_churn(parser: argparse.ArgumentParser) -> None:
    """Is allowed."""
    assert parser.parse_args(["app.py", "--churn", "0", "--path", "/a", "--path", "/b"]).path == ["/a", "/b"]
