"""An app with users: who is signed in, a cookie says. No app should believe it as this one does."""

from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from integration.support.apps.counter import counter
from solara_ctx import KernelApp


class CookieBackend(AuthenticationBackend):
    """The user whose name is in a cookie."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        """Believe it."""
        name = conn.cookies.get("user")
        return None if name is None else (AuthCredentials(["authenticated"]), SimpleUser(name))


async def sign_out(request: Request) -> Response:
    """End whatever the user has open."""
    kernels.registry.invalidate(request.user.display_name)
    return Response(status_code=204)


kernels = KernelApp(counter)
app = Starlette(
    routes=[Route("/sign-out", sign_out, methods=["POST"]), Mount("/", kernels)],
    middleware=[Middleware(AuthenticationMiddleware, backend=CookieBackend())],
    lifespan=kernels.lifespan,
)
