"""The page as an app of Solara."""

from benchmarks.pages.page import build
from benchmarks.support.embedded import embedded

Page = embedded(build)
