"""Requests to web servers, on connections that are kept for the next one, through the proxies of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto
from twisted.internet import ssl
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    ProxyAgent,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from p2pship.errors import ConfigError
from p2pship.lookup.http.address import ServerAddress
from p2pship.lookup.http.proxies import Proxy, proxy_for
from p2pship.lookup.http.tunnel import ProxyEndpoint, TunnelEndpoint
from p2pship.webclient import CertifiedHosts, Connections, LimitedEndpoint

CONNECT_TIME = 2.0
"Seconds for a connection: a lookup has 3 s for everything, and a phone waits."

KEPT_TIME = 45
"Seconds for which a connection that nobody uses is kept: servers close it after 60."

KEPT_EACH = 4
"Connections kept to one server: as many questions as a search has at once."


def trusting(pem: bytes) -> IPolicyForHTTPS:
    """Return the policy by which servers are believed: the authorities in ``pem``, or if it is empty the operating system's.

    :raises ConfigError: if it holds no certificate.
    """
    if not pem:
        return CertifiedHosts()
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigError("the file of authorities holds no certificates in PEM") from None
    certificates = [
        ssl.Certificate.load(each.public_bytes(Encoding.DER), crypto.FILETYPE_ASN1) for each in found
    ]
    return CertifiedHosts(ssl.trustRootFromCertificates(certificates))


@implementer(IAgentEndpointFactory)
class Web:
    """Asks servers; redirections are answers like others, and are not followed."""

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS, environment: Mapping[str, str]) -> None:
        """``policy`` says which servers are believed to be who they are; ``environment`` names proxies."""
        self._reactor = reactor
        self._policy = policy
        self._environment = environment
        self._made = Connections()
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = KEPT_EACH
        self._pool.cachedConnectionTimeout = KEPT_TIME
        self._agent = Agent.usingEndpointFactory(reactor, self, self._pool)
        self._agents: dict[Proxy, ProxyAgent] = {}

    def request(
        self, method: str, server: ServerAddress, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Deferred[IResponse]:
        """Ask; fires with the answer when its head has come. Whoever gives it up has the connection ended.

        :raises BadServer: if the environment names something else than a proxy.
        """
        fields = Headers({"User-Agent": ["p2pship"], "Accept-Encoding": ["identity"]})
        for name, value in headers.items():
            fields.addRawHeader(name, value)
        proxy = proxy_for(server, self._environment)
        agent: Agent | ProxyAgent = self._agent
        if proxy is not None and not server.encrypted:
            agent = self._through(proxy)
            if proxy.credentials:
                fields.addRawHeader(b"Proxy-Authorization", proxy.credentials)
        url = f"{server.scheme}://{server.authority}{server.path}{path}".encode("ascii")
        producer = _Body(body) if body else None
        asked: Deferred[IResponse] = agent.request(method.encode("ascii"), url, fields, producer)
        return asked

    def close_idle(self) -> None:
        """End the connections that wait for the next question."""
        self._pool.closeCachedConnections()

    def close(self) -> Deferred[None]:
        """End every connection; fires when they are gone."""
        self._pool.closeCachedConnections()
        return self._made.close()

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return the way to a server that is not asked through a proxy in the clear."""
        host = uri.host.decode("ascii")
        server = ServerAddress(uri.scheme.decode("ascii"), host, uri.port)
        if not server.encrypted:
            return LimitedEndpoint(self._host(host, uri.port), self._made)
        way = self._way(server, proxy_for(server, self._environment))
        tls = self._policy.creatorForNetloc(uri.host, uri.port)
        return LimitedEndpoint(wrapClientTLS(tls, way), self._made)

    def _way(self, server: ServerAddress, proxy: Proxy | None) -> IStreamClientEndpoint:
        if proxy is None:
            return self._host(server.host, server.port)
        return TunnelEndpoint(self._proxy(proxy), server.authority, proxy.credentials)

    def _through(self, proxy: Proxy) -> ProxyAgent:
        """Return what asks through a proxy: the same every time, as connections are kept by its endpoint."""
        if proxy not in self._agents:
            endpoint = LimitedEndpoint(self._proxy(proxy), self._made)
            self._agents[proxy] = ProxyAgent(endpoint, self._reactor, self._pool)
        return self._agents[proxy]

    def _proxy(self, proxy: Proxy) -> ProxyEndpoint:
        authority = ServerAddress("http", proxy.host, proxy.port).authority
        return ProxyEndpoint(self._host(proxy.host, proxy.port), authority, CONNECT_TIME)

    def _host(self, host: str, port: int) -> HostnameEndpoint:
        return HostnameEndpoint(self._reactor, host, port, timeout=CONNECT_TIME)


@implementer(IBodyProducer)
class _Body:
    """A body that is short enough to be written at once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Go on: all is written."""

    def resumeProducing(self) -> None:
        """Have nothing more to write."""

    def stopProducing(self) -> None:
        """Have nothing more to write."""
