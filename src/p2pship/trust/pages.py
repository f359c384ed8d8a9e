"""What domains publish, fetched over HTTPS: little, seldom, and only from the domain itself.

Anybody can make a node ask, by saying hello under a made-up name of any domain. So answers, bad ones and failures are
remembered, and a domain is asked a few things at a time and a limited number of things in a while.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urljoin, urlsplit

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from p2pship.errors import RemoteError
from p2pship.network import list_interfaces
from p2pship.trust.reach import GuardedReactor, within_reach
from p2pship.trust.wellknown import FOLDER, LONGEST_PAGE
from p2pship.webclient import BodyFailed, CertifiedHosts, Connections, LimitedEndpoint, read_body, why

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
        kept = self._remembered(domain, name)
        if kept is not None:
            return succeed(kept) if isinstance(kept, Page) else fail(PageFailed(kept))
        waiting = self._waiting.get((domain, name))
        if waiting is None and not self._may_ask(domain):
            return fail(PageFailed(f"{domain} is asked for too much at once"))
        answer: Deferred[Page] = Deferred()
        if waiting is None:
            self._ask(domain, name, answer)
        else:
            waiting.append(answer)
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
            reason = str(result.value) if reachable else f"{domain} does not answer: {why(result, TIMEOUT)}"
            self._keep((domain, name if reachable else ""), self._clock.seconds() + FAILURE_KEPT, reason)
            result = Failure(PageFailed(reason))
        for waiting in self._waiting.pop((domain, name)):
            waiting.callback(result) if isinstance(result, Page) else waiting.errback(result)

    def _keep(self, key: tuple[str, str], until: float, what: Page | str) -> None:
        self._kept[key] = (until, what)
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

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
        try:
            body = await read_body(response, LONGEST_PAGE)
        except BodyFailed as error:
            raise PageFailed(str(error)) from None
        return Page(body, self._clock.seconds() + _kept_for(response))


@implementer(IAgentEndpointFactory)
class _Door:
    """The connections of one fetch, which all end with it: a server need not agree."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._made = Connections()

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        if uri.scheme != b"https" or uri.port != 443:
            raise PageFailed("only https is asked")
        return LimitedEndpoint(self._endpoint(uri.host.decode("ascii")), self._made)

    def hang_up(self) -> None:
        self._made.close()


def https(reactor: Any) -> Endpoint:
    """Return what connects to a host over HTTPS, checking its name with the operating system's authorities.

    Anybody can have it called, for any domain: it connects to no address but those that may be asked, and as many names are resolved
    at a time as pages are fetched, though a fetch may have been given up while its name is not resolved.
    """
    policy, guarded = CertifiedHosts(), GuardedReactor(reactor, within_reach(list_interfaces), MOST_UNDERWAY)

    def endpoint(host: str) -> IStreamClientEndpoint:
        tls = policy.creatorForNetloc(host.encode("ascii"), 443)
        return wrapClientTLS(tls, HostnameEndpoint(guarded, host, 443, timeout=TIMEOUT))

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
