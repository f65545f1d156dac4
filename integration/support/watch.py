"""Everything that a page says in the browser, and everywhere it turns to: a test fails on what it did not expect."""

import re
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, WebError, WebSocket

OWN_HOSTS = {"127.0.0.1", "localhost", "[::1]"}


class Watch:
    """Collects the complaints of all pages of one test. It keeps texts only, nothing of the browser's or the page's."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._allowed: list[re.Pattern[str]] = []

    def allow(self, pattern: str) -> None:
        """Expect complaints in which the regular expression *pattern* is found, before or after now."""
        self._allowed.append(re.compile(pattern))

    def complaints(self) -> list[str]:
        return [text for text in self._seen if not any(pattern.search(text) for pattern in self._allowed)]

    def follow(self, context: BrowserContext) -> None:
        """Listen to every page of *context*, those that it will open too."""
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("request", self._on_request)
        context.on("page", self._on_page)

    def _on_console(self, message: ConsoleMessage) -> None:
        # The browser asks for the icon of the host on its own account, and complains where there is none.
        if message.type in {"error", "warning", "assert"} and urlsplit(message.location["url"]).path != "/favicon.ico":
            self._seen.append(f"console {message.type}: {message.text}")

    def _on_error(self, error: WebError) -> None:
        self._seen.append(f"page error: {error.error}")

    def _on_page(self, page: Page) -> None:
        page.on("websocket", self._on_websocket)

    def _on_request(self, request: Request) -> None:
        self._on_url(request.url)

    def _on_websocket(self, websocket: WebSocket) -> None:
        self._on_url(websocket.url)

    def _on_url(self, address: str) -> None:
        url = urlsplit(address)
        if url.scheme in {"http", "https", "ws", "wss"} and url.hostname not in OWN_HOSTS:
            self._seen.append(f"foreign host: {address}")
