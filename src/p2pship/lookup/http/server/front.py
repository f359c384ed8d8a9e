"""The paths of a rendezvous server: what is asked there, and how every answer is written."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from p2pship.address import BadAddress
from p2pship.lookup.http.server.metrics import TEXT_TYPE, Metrics
from p2pship.lookup.http.server.refusal import (
    Refused,
    malformed,
    too_long,
    unavailable,
    unknown,
    wrong_method,
)
from p2pship.lookup.http.server.site import LONGEST_BODY, BoundedRequest
from p2pship.lookup.http.server.slots import JSON_TYPE, Answer, Slots
from p2pship.lookup.http.server.source import asker_of, network_of
from p2pship.lookup.http.server.store import IRendezvousStore, StoreFailed
from p2pship.lookup.http.server.subscriptions import Subscriptions
from p2pship.lookup.http.wire import KEY_LENGTH

READING = ("GET", "HEAD")

UNWELL = 30.0
"""Seconds after a failure of the store for which the server says that it is not well: what fails, as for want of room on the disk, may be puts
alone, which a question for its health is not."""

_ETAGS = re.compile(rb'"[^"]*"')

Extra = Callable[[BoundedRequest, str], Awaitable[Answer]]
"Answers a request from a source, at a path of its own."


class Front(Resource):
    """Everything that a server answers; every request comes here."""

    isLeaf = True
    log = Logger()

    def __init__(
        self,
        reactor: Any,
        store: IRendezvousStore,
        slots: Slots,
        subscriptions: Subscriptions,
        metrics: Metrics,
        *,
        proxies: frozenset[str] = frozenset(),
        observers: frozenset[str] = frozenset(),
        extras: dict[str, Extra] | None = None,
    ) -> None:
        """``proxies`` say from where requests come; ``observers`` may read the metrics; ``extras`` are further paths."""
        super().__init__()
        self._reactor = reactor
        self._store = store
        self._slots = slots
        self._subscriptions = subscriptions
        self._metrics = metrics
        self._proxies = proxies
        self._observers = observers
        self._extras = extras or {}
        self._failed_at = 0.0

    def render(self, request: BoundedRequest) -> int:
        """Answer a request."""
        began = self._reactor.seconds()
        gone = request.notifyFinish()
        answering: Deferred[None] = Deferred.fromCoroutine(self._answer(request, began))
        gone.addErrback(lambda _: answering.cancel())
        answering.addErrback(self._not_answered, request)
        return NOT_DONE_YET

    def _not_answered(self, failure: Failure, request: BoundedRequest) -> None:
        if failure.check(CancelledError):
            return
        self.log.failure("a request could not be answered", failure)
        if request.startedWriting:
            request.loseConnection()
        else:
            self._refuse(request, unavailable())

    async def _answer(self, request: BoundedRequest, began: float) -> None:
        what, parts = _what(request)
        try:
            answer = await self._dispatch(request, what, parts)
        except Refused as refused:
            self._refuse(request, refused)
        except BadAddress as error:
            self._refuse(request, malformed(str(error)))
        except StoreFailed:
            self._failed_at = self._reactor.seconds()
            self._refuse(request, unavailable())
        else:
            if answer is None:
                return  # it was a subscription, and is over
            _write(request, answer)
        self._metrics.answered(what, request.code, self._reactor.seconds() - began)

    async def _dispatch(self, request: BoundedRequest, what: str, parts: list[str]) -> Answer | None:
        if request.too_long:
            raise too_long(LONGEST_BODY)
        forwarded = request.requestHeaders.getRawHeaders("x-forwarded-for", [])
        asker = asker_of(request.getClientAddress().host, forwarded, self._proxies)
        if what == "metrics" and asker in self._observers:
            return Answer(200, self._metrics.text().encode("utf-8"), TEXT_TYPE)
        source = network_of(asker)
        if what == "extra" and parts[0] in self._extras:
            return await self._extras[parts[0]](request, source)
        if what == "put":
            return await self._slots.put(_key(parts[2]), _key(parts[3]), request.body.getvalue(), source)
        return await self._read(request, what, parts, source)

    async def _read(self, request: BoundedRequest, what: str, parts: list[str], source: str) -> Answer | None:
        self._slots.ask(source)
        if what == "health":
            return await self._health()
        if what == "list":
            return await self._slots.listed(_key(parts[2]))
        if what == "one":
            return await self._slots.one(_key(parts[2]), _key(parts[3]))
        if what == "events":
            one = _key(parts[3]) if len(parts) == 5 else None
            await self._subscriptions.subscribe(request, _key(parts[2]), one, source)
            return None
        if what == "method":
            raise wrong_method(
                "GET" if "events" in parts else "GET, HEAD, PUT" if len(parts) == 4 else "GET, HEAD"
            )
        raise unknown()

    async def _health(self) -> Answer:
        if 0 <= self._reactor.seconds() - self._failed_at < UNWELL:
            raise unavailable()
        await self._store.held()
        return Answer(200, b'{"health": "good"}\n', JSON_TYPE)

    def _refuse(self, request: BoundedRequest, refused: Refused) -> None:
        request.setResponseCode(refused.status)
        if refused.retry_after:
            request.setHeader("retry-after", str(refused.retry_after))
        if refused.allowed:  # RFC 9110 §15.5.6
            request.setHeader("allow", refused.allowed)
        request.setHeader("content-type", JSON_TYPE)
        _finish(request, refused.body())


def _what(request: BoundedRequest) -> tuple[str, list[str]]:
    """Return what a request asks for, and the parts of its path."""
    path = request.path.decode("latin-1")
    if path[:1] != "/":  # "http://host/path" (RFC 9112 §3.2.2)
        path = path.partition("://")[2]
    parts = path.split("/")[1:]
    method = request.method.decode("latin-1")
    match parts:
        case ["v1", "slots", _, "events"] | ["v1", "slots", _, _, "events"]:
            return ("events" if method == "GET" else "method"), parts
        case ["v1", "slots", _, _] if method == "PUT":
            return "put", parts
        case ["v1", "slots", _, _] if method in READING:
            return "one", parts
        case ["v1", "slots", _] if method in READING:
            return "list", parts
        case ["health" | "metrics"] if method in READING:
            return parts[0], parts
        case ["v1", "slots", _] | ["v1", "slots", _, _]:
            return "method", parts
        case ["health" | "metrics"]:
            return "method", parts
        case [_]:
            return "extra", parts
    return "other", parts


def _key(text: str) -> bytes:
    """Read a key in a path.

    :raises Refused: if it is not one, in lower-case hexadecimal digits: each thing has one path.
    """
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise malformed("a key in a path is hexadecimal digits") from None
    if len(key) != KEY_LENGTH or key.hex() != text:
        raise malformed(f"a key in a path is {2 * KEY_LENGTH} lower-case hexadecimal digits")
    return key


def _write(request: BoundedRequest, answer: Answer) -> None:
    request.setResponseCode(answer.status)
    if answer.etag:
        request.setHeader("cache-control", "no-cache")
        request.setHeader("etag", answer.etag)
        if _has(request, answer.etag):
            request.setResponseCode(304)
            _finish(request, b"")
            return
    request.setHeader("content-type", answer.kind)
    _finish(request, answer.body)


def _has(request: BoundedRequest, etag: bytes) -> bool:
    """Tell whether the asker has what the ETag names, however a proxy on the way has weakened it (RFC 9110 §13.1.2, §8.8.3.2)."""
    known = b",".join(request.requestHeaders.getRawHeaders(b"if-none-match", []))
    return known.strip() == b"*" or etag in _ETAGS.findall(known)


def _finish(request: BoundedRequest, body: bytes) -> None:
    if request.code != 304:
        request.setHeader("content-length", str(len(body)))
    if body:
        request.write(body)
    request.finish()
