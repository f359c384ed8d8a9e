"""What domains publish, fetched over HTTPS: little, seldom, and only from the domain itself.

Anybody can make a node ask, by saying hello under a made-up name of any domain. So answers, bad ones and failures are
remembered, and a domain is asked a few things at a time and a limited number of things in a while.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from p2pship.errors import RemoteError
from p2pship.trust.wellknown import FOLDER, LONGEST_PAGE

TIMEOUT = 3.0
"Seconds for a page with everything that belongs to it."

SHORTEST_KEPT = 5 * 60
LONGEST_KEPT = 24 * 3600
USUALLY_KEPT = 3600
"Seconds that a page is kept: what its max-age says (RFC 9111 §5.2.2.1), within these; or the last, if it says nothing."

FAILURE_KEPT = 5 * 60
"Seconds that a failure is remembered; one to connect at all, of the whole domain."

MOST_KEPT = 1000
"Pages and failures remembered, 16 MB at the very worst."

MOST_UNDERWAY = 32
"Pages fetched at once."

MOST_OF_DOMAIN = 4
"Pages fetched from one domain at once."

MOST_IN_SPAN = 120
"Pages fetched from one domain within SHORTEST_KEPT: more are not asked for, as if it did not answer."

MOST_REDIRECTIONS = 3

MOST_RECEIVED = 262_144
"""Octets taken over one connection, with all headers: of those nobody else limits how many there are, and a server that somebody's hello
made us ask could send for the whole time."""

_MAX_AGE = re.compile(rb"(?:^|[,\s])max-age=(\d{1,9})(?:[,\s]|$)", re.IGNORECASE)
_MOVED = (301, 302, 303, 307, 308)


Endpoint: TypeAlias = Callable[[str], IStreamClientEndpoint]
"Connects to a host by its name."


class PageFailed(RemoteError):
    """The domain does not publish that, or does not answer."""


@dataclass(frozen=True, slots=True)
class Page:
    """A file of a domain."""

    body: bytes
    until: float
    "until when it need not be fetched again, Unix time"


class Pages:
    """Fetches and remembers; ``endpoint`` connects to a host over TLS, and checks the host's certificate."""

    def __init__(self, endpoint: Endpoint, clock: IReactorTime) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, Page | str]] = OrderedDict()
        self._waiting: dict[tuple[str, str], list[Deferred[Page]]] = {}
        self._underway: Counter[str] = Counter()
        self._spent: Counter[str] = Counter()
        self._span = 0.0

    def fetch(self, domain: str, name: str) -> Deferred[Page]:
        """Return a file of a domain's folder; fails with PageFailed, whose message says why."""
        answer: Deferred[Page] = Deferred(lambda one: self._forget_waiting(domain, name, one))
        kept = self._remembered(domain, name)
        if isinstance(kept, Page):
            answer.callback(kept)
        elif kept is not None:
            answer.errback(PageFailed(kept))
        elif (domain, name) in self._waiting:
            self._waiting[domain, name].append(answer)
        elif self._may_ask(domain):
            self._ask(domain, name, answer)
        else:
            answer.errback(PageFailed(f"{domain} is asked for too much at once"))
        return answer

    def _remembered(self, domain: str, name: str) -> Page | str | None:
        for key in ((domain, name), (domain, "")):
            until, kept = self._kept.get(key, (0.0, ""))
            if until > self._clock.seconds():
                return kept
        return None

    def _may_ask(self, domain: str) -> bool:
        now = self._clock.seconds()
        if not 0 <= now - self._span < SHORTEST_KEPT:
            self._span = now
            self._spent.clear()
        free = self._underway.total() < MOST_UNDERWAY and self._underway[domain] < MOST_OF_DOMAIN
        return free and self._spent[domain] < MOST_IN_SPAN

    def _ask(self, domain: str, name: str, answer: Deferred[Page]) -> None:
        self._waiting[domain, name] = [answer]
        self._underway[domain] += 1
        self._spent[domain] += 1
        asked: Deferred[Page] = Deferred.fromCoroutine(
            self._fetched(domain, f"https://{domain}/{FOLDER}/{name}")
        )
        asked.addTimeout(TIMEOUT, self._clock)
        asked.addBoth(self._came, domain, name)

    def _came(self, result: Page | Failure, domain: str, name: str) -> None:
        self._underway[domain] -= 1
        if not self._underway[domain]:
            del self._underway[domain]
        if isinstance(result, Page):
            self._keep((domain, name), result.until, result)
        else:
            reachable = isinstance(result.value, PageFailed)
            why = str(result.value) if reachable else f"{domain} does not answer: {_why(result)}"
            self._keep((domain, name if reachable else ""), self._clock.seconds() + FAILURE_KEPT, why)
            result = Failure(PageFailed(why))
        for waiting in self._waiting.pop((domain, name)):
            waiting.callback(result) if isinstance(result, Page) else waiting.errback(result)

    def _keep(self, key: tuple[str, str], until: float, what: Page | str) -> None:
        self._kept[key] = (until, what)
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def _forget_waiting(self, domain: str, name: str, answer: Deferred[Page]) -> None:
        waiting = self._waiting.get((domain, name), [])
        if answer in waiting:
            waiting.remove(answer)

    async def _fetched(self, domain: str, url: str) -> Page:
        door = _Door(self._endpoint)
        agent = Agent.usingEndpointFactory(self._clock, door)
        headers = Headers({b"User-Agent": [b"p2pship"], b"Accept-Encoding": [b"identity"]})
        try:
            for _ in range(MOST_REDIRECTIONS + 1):
                response: IResponse = await agent.request(b"GET", url.encode("ascii"), headers)
                if response.code not in _MOVED:
                    return await self._page(domain, response)
                url = _moved_to(domain, url, response)
        finally:
            door.hang_up()
        raise PageFailed(f"{domain} redirects again and again")

    async def _page(self, domain: str, response: IResponse) -> Page:
        if response.code != 200:
            raise PageFailed(f"{domain} does not publish it (status {response.code})")
        body: Deferred[bytes] = Deferred()
        response.deliverBody(_Body(body))
        return Page(await body, self._clock.seconds() + _kept_for(response))


@implementer(IAgentEndpointFactory)
class _Door:
    """The connections of one fetch, which all end with it: a server need not agree."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._made: list[IProtocol] = []

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        if uri.scheme != b"https" or uri.port != 443:
            raise PageFailed("only https is asked")
        return _Remembering(self._endpoint(uri.host.decode("ascii")), self._made)

    def hang_up(self) -> None:
        for protocol in self._made:
            # Of the TLS protocol, the connection below it: TLS would wait for the other side's goodbye.
            below = getattr(getattr(protocol, "transport", None), "transport", None)
            if below is not None:
                below.abortConnection()


@implementer(IStreamClientEndpoint)
class _Remembering:
    """An endpoint whose connections are noted, and end when they have brought too much."""

    def __init__(self, endpoint: IStreamClientEndpoint, made: list[IProtocol]) -> None:
        self._inner = endpoint
        self._made = made

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        limited = WrappingFactory(factory)
        limited.protocol, limited.noisy = _Limited, False
        limited.wrappedFactory.noisy = False  # nobody wants to read of each page that it was fetched
        return self._inner.connect(limited).addCallback(self._note)

    def _note(self, made: IProtocol) -> IProtocol:
        assert isinstance(made, _Limited)
        self._made.append(made)
        protocol: IProtocol = made.wrappedProtocol
        return protocol


class _Limited(ProtocolWrapper):
    """A connection that ends when too much has come."""

    _received = 0

    def dataReceived(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MOST_RECEIVED:
            self.abortConnection()
        else:
            super().dataReceived(data)


class _Body(Protocol):
    """Collects a page, unless it is too long."""

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done = done
        self._octets = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > LONGEST_PAGE and not self._done.called:
            self._done.errback(PageFailed(f"the page is longer than {LONGEST_PAGE} octets"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._done.called:
            return
        if reason.check(ResponseDone):
            self._done.callback(bytes(self._octets))
        else:
            self._done.errback(PageFailed("the page was cut off"))


def https(reactor: object) -> Endpoint:
    """Return what connects to a host over HTTPS, checking its name with the operating system's authorities."""
    policy = BrowserLikePolicyForHTTPS()

    def endpoint(host: str) -> IStreamClientEndpoint:
        tls = policy.creatorForNetloc(host.encode("ascii"), 443)
        return wrapClientTLS(tls, HostnameEndpoint(reactor, host, 443, timeout=TIMEOUT))

    return endpoint


def _moved_to(domain: str, url: str, response: IResponse) -> str:
    """Return where a redirection leads, if that is the same server."""
    places = response.headers.getRawHeaders(b"location") or []
    try:
        target = urljoin(url, places[0].decode("ascii", "replace")) if places else ""
        parts = urlsplit(target)
        same = parts.scheme == "https" and parts.netloc.lower() == domain and target.isascii()
    except ValueError:  # it is no URL at all
        same = False
    if not same:
        raise PageFailed(f"{domain} redirects to another server, which cannot speak for it")
    return target


def _kept_for(response: IResponse) -> int:
    for value in response.headers.getRawHeaders(b"cache-control") or ():
        found = _MAX_AGE.search(value)
        if found:
            return min(max(int(found[1]), SHORTEST_KEPT), LONGEST_KEPT)
    return USUALLY_KEPT


def _why(failure: Failure) -> str:
    reasons = getattr(failure.value, "reasons", None)
    inner = reasons[0].value if reasons else failure.value
    if isinstance(inner, TimeoutError | CancelledError):
        return f"nothing within {TIMEOUT:.0f} s"
    return str(inner) or type(inner).__name__
