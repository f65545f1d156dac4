"""From measures to a verdict."""

from dataclasses import replace
from pathlib import Path

import pytest

from solara_ctx.leakcheck.judge import judge
from solara_ctx.leakcheck.messages import Taken
from tests.support.leakcheck import chain, explanation, growth, origin, series

FLAT = [50.0] * 10
RISING = [50.0 + number for number in range(10)]


@pytest.fixture
def app(tmp_path: Path) -> str:
    """A file of an app, by its name."""
    file = tmp_path / "app.py"
    file.write_text("import x\nCACHE = {}\n")
    return str(file)


def test_nothing_is_a_plateau() -> None:
    """Nothing kept, nothing that grows, memory flat."""
    verdict = judge(series(FLAT))
    assert not verdict.leaking
    assert verdict.notes == ()
    assert verdict.slope is not None
    assert verdict.slope.value == 0


def test_kernels_that_stay_are_a_leak_however_small(app: str) -> None:
    """Without a trace in the memory; the chain names the line, and the line is shown."""
    kept = [10 * number for number in range(1, 11)]
    verdict = judge(series(FLAT, kept=kept, chains=(chain(("module variable CACHE", app, 2), ("Label", None, None)),)))
    (leak,) = verdict.leaks
    assert (leak.file, leak.line, leak.code) == (app, 2, "CACHE = {}")
    assert leak.what == "closed kernels are never freed, 1 per session: 9 of the last 10 by this"
    assert leak.chain == "module variable CACHE -> Label"


def test_kernels_that_are_kept_up_to_a_bound_are_worth_a_note(app: str) -> None:
    """They are no more with more sessions."""
    verdict = judge(series(FLAT, kept=[10, 20, *[20] * 8], chains=(chain(("LATEST", app, 2)),)))
    assert not verdict.leaking
    (note,) = verdict.notes
    assert note.what.startswith("20 closed kernels are kept, but no more of them with more sessions")


def test_kernels_that_nobody_is_seen_to_keep(app: str) -> None:
    """Where there is no chain, the line that has made what is left is named."""
    verdict = judge(series(FLAT, kept=list(range(10)), origins=(origin(app, 2),)))
    assert [(leak.file, leak.line) for leak in verdict.leaks] == [(app, 2)]
    assert judge(series(FLAT, kept=list(range(10)))).leaks[0].file is None


def test_a_container_that_grows_is_a_leak(app: str) -> None:
    """However little; with its line."""
    verdict = judge(series(FLAT, growth=(growth(app, 2),)))
    (leak,) = verdict.leaks
    assert (leak.what, leak.file, leak.line) == ("list grows by 1 per session", app, 2)


def test_a_bound_is_no_leak(app: str) -> None:
    """A cache that says how large it may become, and is not full yet; even where that is all the memory grows by."""
    verdict = judge(series(RISING, growth=(growth(app, 2, bound=128),)))
    assert not verdict.leaking
    assert "up to a bound of 128" in verdict.notes[0].what


@pytest.mark.parametrize(("per_step", "leaking"), [(0.2, False), (1.0, True)])
def test_a_librarys_table_has_to_grow_with_each_session(per_step: float, leaking: bool) -> None:
    """One that grows now and then is noted."""
    verdict = judge(series(FLAT, growth=(growth(per_step=per_step),)))
    assert verdict.leaking == leaking
    assert bool(verdict.notes) != leaking


def test_objects_of_types_that_nobody_can_place_are_noted() -> None:
    """Tuples and dicts come and go."""
    assert not judge(series(FLAT, growth=(growth(kind="type", per_step=5.0),))).leaking


def test_one_leak_is_named_once(app: str) -> None:
    """A list that grows, and the kernels that are in it; what kernels consist of grows with them, and tells nothing."""
    found = (growth(app, 2), growth("/elsewhere/app.py", 9, kind="type"))
    kernels = (chain(("module variable CACHE", app, 2)),)
    assert len(judge(series(FLAT, kept=list(range(10)), chains=kernels, growth=found)).leaks) == 1


def test_where_no_chain_has_a_line_the_one_that_made_it_is_named(app: str) -> None:
    """For a table of a library, the line whose objects it has taken while it was traced; else that which made most."""
    tables = (growth(per_step=1.0), growth(per_step=3.0))
    taken = tuple(
        Taken(what=what, count=count, origin=origin(app, line))
        for what, count, line in (("dict", 30, 9), ("list", 29, 1), ("list", 10, 2))
    )
    verdict = judge(series(FLAT, growth=tables, origins=(origin(app, 5),), taken=taken, traced=10))
    assert [leak.line for leak in verdict.leaks] == [2, 1]
    assert judge(series(FLAT, growth=tables, origins=(origin(app, 5),), traced=10)).leaks[0].line == 5


def test_what_has_grown_is_known_by_its_address(app: str) -> None:
    """Of two lists that have taken as many, the line whose objects this one has taken is named."""
    taken = tuple(
        Taken(what="list", count=10, origin=origin(app, line), address=address)
        for line, address in ((9, 4711), (2, 42))
    )
    table = replace(growth(per_step=1.0), address=42)
    verdict = judge(series(FLAT, growth=(table,), origins=(origin(app, 5),), taken=taken, traced=10))
    assert [leak.line for leak in verdict.leaks] == [2]


def test_memory_alone_has_to_be_clear(app: str) -> None:
    """100 KB for each session, ten times over: C code may hold them.  3 KB, or three measures, are noise."""
    verdict = judge(series(RISING, origins=(origin(app, 2),)))
    assert [(leak.what, leak.line) for leak in verdict.leaks] == [
        ("memory grows with each session, and no Python object tells why", 2)
    ]
    assert not judge(series([50 + number * 0.03 for number in range(10)])).leaking
    assert not judge(series(RISING[:5])).leaking
    assert judge(series(RISING[:1])).slope is None


def test_the_way_to_an_open_session_is_left_out(app: str) -> None:
    """What holds the page that is open is the server, and that is as it should be."""
    way = explanation(
        ("thread 'MainThread' running main", None, None),
        ("KernelApp.registry", None, None),
        ("VirtualKernelContext._run", None, None),
        ("rows", app, 2),
    )
    verdict = judge(series(FLAT, unit="use", growth=(growth(app, 2, explanation=way),)))
    assert verdict.leaks[0].chain == "the open session -> VirtualKernelContext._run -> rows"
