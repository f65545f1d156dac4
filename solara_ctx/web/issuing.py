"""Kernel ids for those who ask for one: with a page, or by the REST API."""

from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.responses import Response

from solara_ctx.errors import KernelLimitReached
from solara_ctx.registry import KernelRegistry
from solara_ctx.web.callers import network_of
from solara_ctx.web.rate import RateLimits
from solara_ctx.web.refusals import TOO_MANY_PAGES, RequestRefused, refusal_for
from solara_ctx.web.session import Sessions

Remember = Callable[[Response], None]


class Issuer:
    """Issues kernel ids, no faster to one address than allowed.  Loop only.

    A kernel starts under an id of its own, once.  So this bounds how fast somebody starts kernels, too, however many
    sessions they make up, which cost nothing.
    """

    def __init__(self, registry: KernelRegistry, sessions: Sessions) -> None:
        self._registry = registry
        self._sessions = sessions
        self._limits = RateLimits(registry.settings.kernel_max_issue_rate)

    def issue(self, connection: HTTPConnection) -> tuple[str, Remember]:
        """A kernel id for the session that asks, a new one where it has none.

        Returns:
            The id, and what lets the browser remember a new session: call it with the response.

        Raises:
            RequestRefused: it is not to be had just now.
        """
        network = network_of(connection)
        # Of a server that listens on a Unix socket, nobody has an address: all of them would be one.
        if network is not None and not self._limits.allows(network, self._registry.clock.now()):
            self._registry.count_refusal()
            raise RequestRefused(TOO_MANY_PAGES)
        session_id = self._sessions.find(connection)
        created = None if session_id is not None else self._sessions.create()
        try:
            kernel_id = self._registry.issue(session_id or created or "")
        except KernelLimitReached as error:
            raise RequestRefused(refusal_for(error)) from None

        def remember(response: Response) -> None:
            if created is not None:
                self._sessions.set_cookie(response, connection, created)

        return kernel_id, remember
