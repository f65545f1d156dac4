"""Errors as a page shows them: the lines of source, whose code it is, and what failed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import solara_ctx
from solara_ctx.jupyter.tracebacks import explain_as_text, explain_error, format_traceback, library_of


def raised(function: Callable[[], object]) -> BaseException:
    """The error of a call, with its traceback."""
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


def run(path: Path, source: str) -> BaseException:
    """The error of a file of the user's."""
    path.write_text(source)
    return raised(lambda: exec(compile(source, str(path), "exec"), {}))  # noqa: S102 - as an import does


def test_the_lines_around_the_one_that_failed(tmp_path: Path) -> None:
    """With their numbers, and where in the line it was, in letters."""
    path = tmp_path / "app.py"
    (link,) = explain_error(run(path, "a = 1\nb = 2\nc = 3\nd = 4\ne = 'ä' + str(a / 0)\nf = 6\n"))
    frame = link["frames"][-1]
    assert link["summary"] == "ZeroDivisionError: division by zero"
    assert (frame["file"], frame["line"], frame["function"], frame["library"]) == (str(path), 5, "<module>", None)
    assert frame["source"] == [[2, "b = 2"], [3, "c = 3"], [4, "d = 4"], [5, "e = 'ä' + str(a / 0)"], [6, "f = 6"]]
    begin, end = frame["mark"]
    assert "e = 'ä' + str(a / 0)"[begin:end] == "a / 0"


def test_what_goes_over_several_lines_is_marked_to_the_end_of_the_first(tmp_path: Path) -> None:
    """The frame's line is the first of them."""
    (link,) = explain_error(run(tmp_path / "app.py", "x = int(\n    'no'\n)\n"))
    assert link["frames"][-1]["mark"] == [4, 8]


def test_a_syntax_error_has_its_place(tmp_path: Path) -> None:
    """Which is no frame of Python's; without the lines that say it in text."""
    path = tmp_path / "app.py"
    (link,) = explain_error(run(path, "a = 1\nif a\n    b = 2\n"))
    frame = link["frames"][-1]
    assert link["summary"] == "SyntaxError: expected ':'"
    assert (frame["file"], frame["line"], frame["function"]) == (str(path), 2, None)
    assert frame["mark"] == [4, 5]


def test_a_syntax_error_without_a_file_has_none() -> None:
    """One that somebody raises by hand."""
    (link,) = explain_error(SyntaxError("made up"))
    assert link == {"summary": "SyntaxError: made up", "how": None, "frames": []}


def test_what_it_came_of_follows(tmp_path: Path) -> None:
    """A cause, a context, and none where somebody said `from None`."""
    source = (
        "try:\n    try:\n        1 / 0\n    except ArithmeticError:\n        {}['a']\nexcept KeyError as e:\n    {}\n"
    )
    chain = explain_error(run(tmp_path / "app.py", source.format("{}", "raise ValueError('c') from e")))
    assert [(link["summary"].partition(":")[0], link["how"]) for link in chain] == [
        ("ValueError", None),
        ("KeyError", "cause"),
        ("ZeroDivisionError", "context"),
    ]
    alone = explain_error(run(tmp_path / "app.py", source.format("{}", "raise ValueError('c') from None")))
    assert [link["how"] for link in alone] == [None]


def test_a_group_says_what_is_in_it() -> None:
    """In its summary."""
    (link,) = explain_error(ExceptionGroup("two", [ValueError("a"), KeyError("b")]))
    assert link["summary"] == "ExceptionGroup: two (2 sub-exceptions)\n  ValueError: a\n  KeyError: 'b'"


def test_whose_code_it_is(tmp_path: Path) -> None:
    """The user's has no name; this library's, other libraries' and Python's have."""
    assert library_of(str(tmp_path / "app.py")) is None
    assert library_of(str(Path(solara_ctx.__file__))) == "solara_ctx"
    assert library_of(f"{Path(solara_ctx.__file__).parent}_of_mine/app.py") is None
    assert library_of(json.__file__) == "Python"
    assert library_of("<frozen importlib._bootstrap>") == "Python"
    assert library_of(pytest.__file__) == "pytest"
    assert library_of("/usr/lib/python3/dist-packages/six.py") == "six"
    assert library_of("/usr/lib/python3/dist-packages") == "Python"
    assert library_of("<string>") is None


def test_code_without_source_is_named_only() -> None:
    """What `exec` was given as a string."""
    (link,) = explain_error(raised(lambda: eval("1 / 0")))  # noqa: S307 - code without a file
    assert (link["frames"][-1]["source"], link["frames"][-1]["mark"]) == ([], None)


def test_it_has_a_bound() -> None:
    """An error that called itself until the stack was full, or that has no end of causes."""

    def deep(left: int) -> None:
        if not left:
            raise ValueError
        deep(left - 1)

    def chained() -> None:
        error: BaseException = ValueError("first")
        for number in range(100):
            error.__cause__, error = None, _with_cause(ValueError(str(number)), error)
        raise error

    (link,) = explain_error(raised(lambda: deep(500)))
    assert len(link["frames"]) == 100
    assert len(explain_error(raised(chained))) <= 20


def _with_cause(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def test_it_can_be_sent(tmp_path: Path) -> None:
    """Nothing of the error is in it."""
    explained: Any = explain_error(run(tmp_path / "app.py", "1 / 0"))
    assert json.loads(json.dumps(explained)) == explained


def test_as_text_it_has_the_same_lines(tmp_path: Path) -> None:
    """With what failed marked; libraries are counted only; the error itself is the last line."""
    path = tmp_path / "app.py"
    source = "import json\ntry:\n    json.loads('{')\nexcept ValueError as e:\n    raise KeyError('x') from e\n"
    text = explain_as_text(run(path, source))
    assert "\nThe above exception was the direct cause of the following exception:\n" in text
    assert text.endswith(f"""
  {path}, line 5, in <module>
    2  try:
    3      json.loads('{{')
    4  except ValueError as e:
  > 5      raise KeyError('x') from e
           ^^^^^^^^^^^^^^^^^^^^^^^^^^

KeyError: 'x'""")
    assert "  3 frames in Python\n\njson.decoder.JSONDecodeError: Expecting property name" in text
    assert explain_as_text(SyntaxError("made up")) == "SyntaxError: made up"


def test_the_text_is_pythons_own(tmp_path: Path) -> None:
    """With its marks, without the frames of this library before the user's."""
    path = tmp_path / "app.py"
    place = f'File "{path}", line 1, in <module>\n    x = 1 / 0\n        ~~^~~\n'
    assert format_traceback(run(path, "x = 1 / 0\n")).endswith(f"{place}ZeroDivisionError: division by zero\n")
    assert format_traceback(ValueError("never raised")) == "ValueError: never raised\n"
