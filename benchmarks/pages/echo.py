"""The floor for 30 threads that compute: a bare echo beside as many, and one that hands each message to a thread."""

import asyncio
import threading
import time

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from benchmarks.pages.page import COMPUTE_S, compute


async def echo(websocket: WebSocket) -> None:
    """Send back what comes."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


async def echo_by_thread(websocket: WebSocket) -> None:
    """Send back what comes, after it was on a thread, as whatever runs callbacks on threads has to."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(await asyncio.to_thread(str.upper, text))


async def burden(websocket: WebSocket) -> None:
    """Start as many threads that compute as the message says."""
    await websocket.accept()
    until = time.monotonic() + COMPUTE_S
    for _ in range(int(await websocket.receive_text())):
        threading.Thread(target=compute, args=(until,), daemon=True).start()
    await websocket.send_text("started")


app = Starlette(
    routes=[
        WebSocketRoute("/", echo),
        WebSocketRoute("/thread", echo_by_thread),
        WebSocketRoute("/burden", burden),
    ]
)
