"""Whether this process is one of several."""

import multiprocessing

import pytest

from solara_ctx.web.siblings import may_have_siblings


@pytest.mark.parametrize(
    ("child", "arguments", "server", "several"),
    [
        (False, ["uvicorn", "app:app"], "", False),
        (True, ["uvicorn", "app:app", "--workers", "2"], "", True),
        (True, ["uvicorn", "app:app", "--reload"], "", False),
        (False, ["gunicorn", "app:app"], "gunicorn/23.0.0", True),
    ],
)
def test_whether_somebody_has_started_it_for_that(
    monkeypatch: pytest.MonkeyPatch, child: bool, arguments: list[str], server: str, several: bool
) -> None:
    """Uvicorn's workers and gunicorn's; not what `--reload` starts anew, one at a time."""
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object() if child else None)
    monkeypatch.setattr("sys.argv", arguments)
    monkeypatch.setenv("SERVER_SOFTWARE", server)
    assert may_have_siblings() is several
