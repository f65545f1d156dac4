"""The app that a check is about, as it is served for that."""

from solara_ctx import KernelApp
from solara_ctx.leakcheck.hosting import Subject


async def test_what_comes_and_goes_with_connections_is_not_measured() -> None:
    """While it is checked an app keeps nothing for pages that may come back; afterwards it does."""
    app = KernelApp(lambda: None)
    kept = app.registry.settings.replay_max_messages
    async with Subject(app, None).serving():
        assert app.registry.settings.replay_max_messages == 0
    assert app.registry.settings.replay_max_messages == kept > 0
