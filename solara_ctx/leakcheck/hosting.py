"""The app that a check of `leak_check` is about: which pages of it, and how it is served for that."""

import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import cast

from solara_ctx.context import VirtualKernelContext
from solara_ctx.leaks.tracker import LeakTracker
from solara_ctx.serving import mounted
from solara_ctx.settings import Settings
from solara_ctx.web.app import KernelApp
from solara_ctx.web.pages import PageCallable

FEWEST_CYCLES = 3
# So few that there can't be more and more of what is kept per thread.
_THREADS = 2


class CannotCheck(Exception):
    """The check could not be made: the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A page of an app."""

    mount: str
    """Where its `KernelApp` is mounted, without a slash at the end."""
    app: KernelApp
    path: str
    """Relative to the mount."""


class Subject:
    """What is checked: an app, the `KernelApp`s in it, and some of their pages.

    Args:
        target: A page function, a `KernelApp`, or an ASGI app with a `KernelApp` mounted in it.
        paths: Which pages, by path; all where not given.

    Raises:
        CannotCheck: there is nothing to check.
    """

    def __init__(self, target: object, paths: Sequence[str] | None) -> None:
        self.served, found = _find_apps(target)
        self.apps = [app for _, app in found]
        self.places = [
            Place(mount, app, path) for mount, app in found for path in app.paths if paths is None or path in paths
        ]
        if not self.places:
            known = ", ".join(path for app in self.apps for path in app.paths)
            raise CannotCheck(f"there is no page at {', '.join(paths or ())}; relative to the mount, there is: {known}")

    @property
    def trackers(self) -> list[LeakTracker]:
        """They know which of the closed kernels are gone."""
        return [app.leaks for app in self.apps]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Mapping[str, object]]:
        """The lifespan of the app, and of those `KernelApp`s in it whose own nobody has wired; yields its state."""
        state: dict[str, object] = {}
        async with AsyncExitStack() as stack:
            if not isinstance(self.served, KernelApp):
                router: object = getattr(self.served, "router", None)
                lifespan = getattr(router, "lifespan_context", None)
                if callable(lifespan):
                    state.update(await stack.enter_async_context(lifespan(self.served)) or {})
            for app in self.apps:
                stack.callback(keep_nothing_for_replay(app))
                service = app._service
                if service is None or not service.lives:
                    await stack.enter_async_context(app.lifespan())
                closers = app.registry.closers
                for pool in (app.registry.workers, closers.waiting, closers.computing):
                    pool.fix(_THREADS)
            yield state


def keep_nothing_for_replay(app: KernelApp) -> Callable[[], None]:
    """What is kept for a page that may come back comes and goes within seconds, and would look like growth: keep none.

    Returns:
        A function that lets it be kept again.
    """
    registry, settings = app.registry, app.registry.settings
    registry.settings = settings.model_copy(update={"replay_max_messages": 0})

    def keep_again() -> None:
        registry.settings = settings

    return keep_again


def require_enough(sessions: int, cycles: int) -> None:
    """See to it that a leak can be told from what is kept once.

    Raises:
        CannotCheck: it can't.
    """
    if sessions < 1 or cycles < FEWEST_CYCLES:
        raise CannotCheck(f"a leak shows in {FEWEST_CYCLES} cycles of 1 session or more, not in {cycles} of {sessions}")


def running_tasks(context: VirtualKernelContext | None) -> int:
    """How many tasks of a kernel have not ended.  Any thread."""
    run = None if context is None else context._life.run
    return 0 if run is None else len(run.tasks)


@contextmanager
def collection_off() -> Iterator[None]:
    """No automatic garbage collection, so that what is freed is freed by reference counting."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _find_apps(target: object) -> tuple[object, list[tuple[str, KernelApp]]]:
    """What to serve for *target*, and the `KernelApp`s in it with their mounts."""
    apps = mounted(target)
    if apps:
        return target, apps
    if hasattr(target, "routes"):
        raise CannotCheck("the app has no KernelApp mounted in it: there is nothing to check")
    if not callable(target):
        raise CannotCheck(f"give a page function, a KernelApp or an app with one, not a {type(target).__name__}")
    try:
        app = KernelApp(cast("PageCallable", target), settings=Settings(debug=True))
    except TypeError as error:
        raise CannotCheck(str(error)) from None
    return app, [("", app)]
