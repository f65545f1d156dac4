"""The fixture `leak_check`, as users run it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytest_plugins = ["pytester"]

PLUGIN = ("-p", "pytest_solara_ctx", "-p", "no:cacheprovider")


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    def run_test(source, *options):
        pytester.makepyfile(source)
        return pytester.runpytest_subprocess(*PLUGIN, *options)
    return run_test

def test_a_leak_fails_with_the_place(run):
    result = run("""
        import ipywidgets as w
        KEPT = []
        def page():
            label = w.Label()
            KEPT.append(label)
            return label
        def test_it(leak_check):
            leak_check(page)
    """)
    result.assert_outcomes(failed=1)
    print(result.stdout.str())
    assert 0
