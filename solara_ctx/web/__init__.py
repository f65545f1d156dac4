"""Starlette in, Starlette out: the only room that knows HTTP, websockets and the browser."""
