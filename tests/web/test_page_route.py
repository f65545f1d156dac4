"""A browser asks for a page."""

from pathlib import Path

import pytest

from solara_ctx import Page
from tests.support.visits import Visit, serving


def label() -> None:
    """A page that shows nothing."""


@pytest.fixture
def templated(tmp_path: Path) -> Page:
    """A page with a template of its own."""
    template = tmp_path / "page.html"
    template.write_text("<title>Acme: {{ title }}</title>{{ solara.head }}<div data-solara-root></div>")
    return Page(label, title="Report", theme="dark", template=template)


async def test_the_page_carries_its_look(templated: Page) -> None:
    """In the HTML, for the first frame, and in what its kernel says, for those that come later."""
    async with serving({"/": templated, "/plain": label}) as site:
        visit = await site.visit()
        assert (await visit.shown())["page"] == {
            "title": "Report",
            "theme": "dark",
            "favicon": "data:,",
        }
        html = (await visit.http.get("/")).text
        assert "<title>Acme: Report</title>" in html
        assert '"theme": "dark"' in html
        assert "<title>Label</title>" in (await visit.http.get("/plain")).text


@pytest.fixture
def broken(tmp_path: Path) -> Page:
    """A page whose template lacks all that a page needs."""
    template = tmp_path / "page.html"
    template.write_text("nothing")
    return Page(label, template=template)


@pytest.mark.parametrize(("debug", "said"), [(True, "TemplateProblem: the template"), (False, "The server&#39;s log")])
async def test_a_template_that_fails_is_said_in_words(
    broken: Page, caplog: pytest.LogCaptureFixture, *, debug: bool, said: str
) -> None:
    """With the reason in debug mode, else in the log only."""
    async with serving(broken, debug=debug) as site:
        response = await Visit(site.app).http.get("/")
        assert response.status_code == 500
        assert said in response.text
        assert "lacks {{ solara.head }}" in caplog.text
