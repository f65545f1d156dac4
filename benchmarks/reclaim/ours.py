"""The page as an app of solara_ctx."""

from benchmarks.reclaim.page import build


def page() -> object:
    return build()
