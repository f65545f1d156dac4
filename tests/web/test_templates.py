"""The HTML of pages."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from solara_ctx.look import Theme
from solara_ctx.web.assets import Assets
from solara_ctx.web.templates import ForTemplate, Head, PageTemplate, TemplateProblem, page_config, render_message


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    """Those of a frontend that has one file of each kind."""
    manifest = {"entry": "main-1.js", "styles": ["main-2.css"], "dark": "dark-4.css", "preload": ["chunk-3.js"]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return Assets(tmp_path)


def solara(assets: Assets, *, kernel_id: str = "k", theme: Theme = "auto") -> ForTemplate:
    config = page_config(base_url="/sub/", kernel_id=kernel_id, debug=False, properties={"title": "t"})
    head = Head(config, assets, base_url="/sub/", theme=theme, icon="/icon.svg?a&b")
    return ForTemplate(head, base_url="/sub/", theme=theme)


def request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/sub/", "headers": [], "query_string": b"name=<i>"})


def rendered(assets: Assets, template: PageTemplate, *, title: str = "t", **how: Any) -> str:
    return template.render(solara(assets, **how), title=title, request=request())


OURS = PageTemplate(None, reload=True)


async def test_the_html_carries_the_config_and_no_inline_script(assets: Assets) -> None:
    """A strict content security policy lets the page through, and no id breaks out of its element."""
    response = await OURS.respond(solara(assets, kernel_id="</script><b>"), title="A & <b>", request=request())
    html = bytes(response.body).decode()
    assert "<title>A &amp; &lt;b&gt;</title>" in html
    config = re.search(r'id="solara-config">(.*?)</script>', html)
    assert config is not None
    assert json.loads(config[1])["kernelId"] == "</script><b>"
    assert json.loads(config[1])["baseUrl"] == "/sub/"
    assert json.loads(config[1])["look"] == {"title": "t"}
    assert '<script type="module" src="/sub/static/main-1.js"></script>' in html
    assert '<link rel="stylesheet" href="/sub/static/main-2.css">' in html
    assert '<link rel="modulepreload" href="/sub/static/chunk-3.js">' in html
    assert '<link rel="icon" href="/icon.svg?a&amp;b">' in html
    assert not re.search(r"<script(?![^>]*(src=|type=\"application/json\"))", html)
    assert "<style" not in html
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("theme", "scheme", "media"),
    [
        ("auto", "light dark", "(prefers-color-scheme: dark)"),
        ("dark", "dark", "all"),
        ("light", "light", "not all"),
    ],
)
def test_the_first_frame_has_the_right_theme(assets: Assets, theme: Theme, scheme: str, media: str) -> None:
    """Before any script has run."""
    html = rendered(assets, OURS, theme=theme)
    assert f'<meta name="color-scheme" content="{scheme}">' in html
    assert f'<link rel="stylesheet" id="solara-dark" media="{media}" href="/sub/static/dark-4.css">' in html


def test_each_rendering_is_another_page(assets: Assets) -> None:
    """Two tabs never share a page id."""
    assert len({rendered(assets, OURS) for _ in range(3)}) == 3


@pytest.fixture
def template(tmp_path: Path) -> PageTemplate:
    """One of the user's, that extends another."""
    (tmp_path / "base.html").write_text("<head>{{ solara.head }}</head>{% block body %}{% endblock %}")
    page = tmp_path / "page.html"
    page.write_text(
        '{% extends "base.html" %}{% block body %}<h1>{{ title }}, {{ request.query_params.name }}</h1>'
        '<a href="{{ solara.base_url }}report">{{ solara.theme }}</a><div data-solara-root></div>{% endblock %}'
    )
    return PageTemplate(page, reload=False)


async def test_a_template_of_the_users_has_the_widgets_where_it_says(template: PageTemplate, assets: Assets) -> None:
    """It may extend others of its folder, sees the request, and is escaped."""
    response = await template.respond(solara(assets), title="A & B", request=request())
    html = bytes(response.body).decode()
    assert '<h1>A &amp; B, &lt;i&gt;</h1><a href="/sub/report">auto</a><div data-solara-root></div>' in html
    assert 'id="solara-config"' in html


def test_a_nonce_is_put_on_what_needs_it(tmp_path: Path, assets: Assets) -> None:
    """Scripts and styles, for a content security policy that goes by nonces."""
    page = tmp_path / "page.html"
    page.write_text('{{ solara.head(nonce="a\\"b") }}<div data-solara-root="side"></div>')
    html = rendered(assets, PageTemplate(page, reload=False))
    tags = re.findall(r"<(?:script type=.module|link rel=.(?:stylesheet|modulepreload))[^>]*>", html)
    assert len(tags) == 5
    assert all('nonce="a&#34;b"' in tag for tag in tags)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<div data-solara-root></div>", r"lacks \{\{ solara.head \}\}"),
        ("{{ solara.head }}<div>data-solara-root</div>", "no place for the widgets"),
    ],
)
def test_a_template_that_lacks_what_a_page_needs_is_refused(
    tmp_path: Path, assets: Assets, text: str, message: str
) -> None:
    """With the words that are missing."""
    page = tmp_path / "page.html"
    page.write_text(text)
    with pytest.raises(TemplateProblem, match=message):
        rendered(assets, PageTemplate(page, reload=False))


def test_a_template_that_can_not_be_read_is_said_at_once(tmp_path: Path) -> None:
    """With the line, where it has one."""
    page = tmp_path / "page.html"
    page.write_text("<p>\n{% if %}")
    with pytest.raises(ValueError, match=r"page\.html, line 2: Expected an expression"):
        PageTemplate(page, reload=False)
    page.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="can't be read: UnicodeDecodeError"):
        PageTemplate(page, reload=False)


@pytest.mark.parametrize("reload", [True, False])
def test_a_changed_template_is_read_again_where_wanted(tmp_path: Path, assets: Assets, *, reload: bool) -> None:
    """In debug mode, without a restart; else it is what it was."""
    page = tmp_path / "page.html"
    text = "{{ solara.head }}<div data-solara-root></div>"
    page.write_text(f"before {text}")
    template = PageTemplate(page, reload=reload)
    assert "before" in rendered(assets, template)
    page.write_text(f"after as it is {text}")
    os.utime(page, (1, 1))
    assert ("after" in rendered(assets, template)) is reload


def test_a_message_page_escapes_what_it_says() -> None:
    """No text becomes markup."""
    response = render_message("<i>", "<script>", 503, {"Retry-After": "5"})
    assert b"<script>" not in response.body
    assert b"&lt;script&gt;" in response.body
    assert response.headers["retry-after"] == "5"
