"""The page as an app of solara_ctx."""

from benchmarks.roundtrip.page import build


def page() -> object:
    return build()
