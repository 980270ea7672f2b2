"""The front: it answers whole requests on the event loop, which never waits on a thread.

1. A hot route: run its view on the event loop; it pauses at the loop's door.
2. Any other route: hand the request to Flask, in a bounded pool of threads that senders share; in a
   smaller one, which addresses share, if its sender may be a stranger.
3. An error becomes the same problem document as behind Flask.
"""

from __future__ import annotations

import asyncio
from typing import Final

from api.errors import TooManyConnections
from api.http.callback_paths import takes_callbacks
from api.http.callers.cookies import is_over_tls
from api.http.flask_side.app import CAREFUL, App
from api.http.messages import Answer, Request
from api.http.problems.documents import problem_of
from api.http.request_ids import HEADER, begin
from api.pages.errors import bare_page, wants_a_page
from api.routes.hot import match
from api.serving.flask_behind import FlaskBehind, environ_of
from api.serving.http1.bounds.addresses import site_of
from api.serving.http1.incoming import Incoming
from api.serving.http1.targets import target_of
from api.serving.loop_door import LoopDoor
from api.serving.streams.audience import BOUNDS, Bounds
from api.serving.threads import NOBODY, THREADS, BoundedThreads
from api.wiring import Services

BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
HEALTH: Final = frozenset({"/livez", "/readyz"})
PREFIX: Final = "X-Forwarded-Prefix"
STRANGER_THREADS: Final = 2
"""How many threads answer requests without a token or session that is known to be valid.

Each thread at work takes the interpreter from the event loop. So anybody who can connect, and asks
again and again, would hold up every callback, were there more of them.
"""
WSGI_THREADS: Final = 32
"""How many threads answer without hot routes: more callbacks then wait for one commit."""


class Front:
    """Answers requests by the hot routes and by Flask; `without_hot`, by Flask in more threads.

    Without hot routes, a callback's signature is verified in those threads, too. So strangers can
    hold all of them for as long as that takes.

    It is always the event loop that answers questions about its health.
    """

    def __init__(
        self,
        application: App,
        services: Services,
        loop: asyncio.AbstractEventLoop,
        *,
        without_hot: bool = False,
        streams: Bounds = BOUNDS,
    ) -> None:
        self._threads = BoundedThreads(loop, WSGI_THREADS if without_hot else THREADS)
        self._few_threads = BoundedThreads(loop, STRANGER_THREADS)
        proxies = application.proxies
        self._door = LoopDoor(services, loop, self._threads, self._few_threads, streams, proxies)
        self._cross_origin = application.cross_origin
        self._proxies = proxies
        self._public_url = services.settings.public_url
        self._flask = FlaskBehind(application, self._threads)
        self._for_strangers = FlaskBehind(application, self._few_threads)
        self._without_hot = without_hot

    async def answer(self, incoming: Incoming) -> Answer:
        """Return the answer to a request; never raise."""
        request_id = begin(incoming.header(HEADER))
        method = incoming.method
        path, asked_for, text, query, link = target_of(incoming.target)
        body = b"" if method in BODILESS else incoming.body
        prefix, text = self._split(incoming, text)
        try:
            is_hot = not self._without_hot or text in HEALTH
            # Load balancers ask for health with HEAD, too.
            asked = "GET" if method == "HEAD" else method
            is_secure = b"cookie" in incoming.fields and self._is_secure(incoming)
            peer, header = incoming.ends.client[0], incoming.header
            request = Request(method, text, query, header, body, link, prefix, is_secure, peer)
            if preflight := self._cross_origin.preflight(method, text, incoming.header):
                answer = preflight
            elif is_hot and (hot := match(asked, text, query)):
                view, parameters = hot
                answer = await view(request, self._door, **parameters)
            else:
                is_callback = self._without_hot and method == "POST" and takes_callbacks(text)
                known = None if is_callback else self._door.known(request)
                flask = self._flask if known or is_callback else self._for_strangers
                caller = known.sharer if known else site_of(self._proxies.client_of(peer, header))
                environ = environ_of(incoming, path, asked_for, body)
                environ["HTTP_X_REQUEST_ID"] = request_id
                return await flask.answer(environ, incoming, NOBODY if is_callback else caller)
        except Exception as error:
            # As Flask does: whatever a view raises becomes a problem document.
            answer = problem_of(error, method, text, prefix)
            if wants_a_page(text, incoming.header("Accept")):
                answer = bare_page(answer, prefix)
        allowed = self._cross_origin.headers(method, text, incoming.header)
        headers = [*answer.headers, *CAREFUL, (HEADER, request_id), *allowed]
        return Answer(answer.status, headers, answer.body, answer.source)

    async def answer_when_full(self, incoming: Incoming) -> Answer:
        """Answer when the server has all its connections: questions about its health alone."""
        prefix, text = self._split(incoming, target_of(incoming.target).text)
        if text in HEALTH:
            return await self.answer(incoming)
        answer = problem_of(TooManyConnections(), incoming.method, text, prefix)
        allowed = self._cross_origin.headers(incoming.method, text, incoming.header)
        return answer._replace(headers=[*answer.headers, *allowed])

    def _split(self, incoming: Incoming, text: str) -> tuple[str, str]:
        """Return the prefix of a request's path, and the path without it."""
        if not self._proxies.may_add_prefixes:
            return "", text
        return self._proxies.split(text, incoming.ends.client[0], incoming.header(PREFIX))

    def _is_secure(self, incoming: Incoming) -> bool:
        scheme, host = self._proxies.asked_at(incoming.ends.client[0], incoming.header)
        return is_over_tls(scheme, host, self._public_url)

    def finish(self) -> None:
        """End the streams, and the requests that only wait: the server is about to end."""
        self._door.finish()

    def close(self) -> None:
        """Let go of the threads."""
        self._door.close()
        self._threads.close()
        self._few_threads.close()
