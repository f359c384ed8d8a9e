"""One proxy among fake neighbours, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock

from p2pship.journal import Journal
from p2pship.sip.bindings import SCHEMA, Bindings
from p2pship.sip.callbook import SCHEMA as CALLS_SCHEMA
from p2pship.sip.callbook import CallBook
from p2pship.sip.message import Request, Response, parse, request, response_to
from p2pship.sip.names import OwnNames
from p2pship.sip.proxy import SIPProxy
from p2pship.sip.registrar import Registrar
from p2pship.sip.surroundings import Surroundings
from p2pship.storage.database import Database
from tests.sip.fakes import (
    FakeAcquaintances,
    FakeHop,
    FakeHops,
    FakeKeyring,
    FakeOverlay,
    FakePeer,
    FakeRelays,
    FakeScreening,
    FakeSecrets,
    counting,
)

NOW = 1_800_000_000.0

OFFER = b"""v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 14440 RTP/AVP 8
a=rtpmap:8 PCMA/8000
""".replace(b"\n", b"\r\n")

LINK_OFFER = b"""v=0
o=- 1 1 IN IP6 2001:2f::
s=-
c=IN IP6 2001:2f::
t=0 0
m=audio 40 RTP/AVP 8
a=rtpmap:8 PCMA/8000
""".replace(b"\n", b"\r\n")


class Station:
    """A node's SIP part: its proxy, with phones and peers that keep what they are sent."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.journal = Journal()
        self.keyring = FakeKeyring()
        self.overlay = FakeOverlay()
        self.relays = FakeRelays()
        self.hops = FakeHops()
        self.database = Database(":memory:", [SCHEMA, CALLS_SCHEMA])
        self.random = counting()
        names = self.names = OwnNames("home.p2pship.alt", lambda: ["192.0.2.7"])
        self.bindings = Bindings(self.clock, self.database)
        registrar = Registrar(self.clock, names, self.bindings, self.keyring, self.journal, self.random)
        self.screening = FakeScreening()
        self.acquaintances = FakeAcquaintances()
        self.secrets = FakeSecrets()
        self.book = CallBook(self.clock, self.database, self.random)
        around = Surroundings(
            reactor=self.clock,
            names=names,
            keyring=self.keyring,
            overlay=self.overlay,
            relays=self.relays,
            registrar=registrar,
            bindings=self.bindings,
            hops=self.hops,
            journal=self.journal,
            random=self.random,
            book=self.book,
            screening=self.screening,
            acquaintances=self.acquaintances,
            phones=self.secrets,
        )
        self.proxy = SIPProxy(around)
        self.proxy.start()
        self._branch = 0

    def stop(self) -> None:
        """Stop the proxy and close its database."""
        self.proxy.stop()
        self.database.close()

    def phone(self, port: int = 5070, transport: str = "UDP") -> FakeHop:
        """Return the hop of the phone at a port."""
        return self.hops.hop_for("127.0.0.1", port, transport)

    def register(self, aor: str, port: int = 5070, contact: str = "", expires: str = "3600") -> FakeHop:
        """Register a phone and return its hop."""
        hop = self.phone(port)
        user = aor.partition("@")[0]
        value = contact or f"<sip:{user}@127.0.0.1:{port}>"
        self.from_phone(
            hop, "REGISTER", f"sip:{aor.partition('@')[2]}", aor, aor, Contact=value, Expires=expires
        )
        return hop

    def make(
        self,
        method: str,
        uri: str,
        sender: str,
        receiver: str,
        headers: Sequence[tuple[str, str]],
        body: bytes = b"",
    ) -> Request:
        """Return a request with what each needs, and a branch of its own."""
        self._branch += 1
        given = {name.lower() for name, _ in headers}
        base = [
            ("Via", f"SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKtest{self._branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{sender}>;tag=f1"),
            ("To", f"<sip:{receiver}>"),
            ("Call-ID", "call-1"),
            ("CSeq", f"{self._branch} {method}"),
        ]
        if body:
            base.append(("Content-Type", "application/sdp"))
        return request(
            method, uri, [*(each for each in base if each[0].lower() not in given), *headers], body
        )

    def from_phone(
        self,
        hop: FakeHop,
        method: str,
        uri: str,
        sender: str,
        receiver: str,
        body: bytes = b"",
        **headers: str,
    ) -> Request:
        """Let a phone send a request; header names have ``_`` for ``-``."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        made = self.make(method, uri, sender, receiver, named, body)
        return self.deliver(made, hop)

    def from_peer(
        self,
        peer: FakePeer,
        method: str,
        uri: str,
        sender: str,
        receiver: str,
        body: bytes = b"",
        **headers: str,
    ) -> Request:
        """Let a peer send a request."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        made = self.make(method, uri, sender, receiver, [("Via", self._link_via()), *named], body)
        self.proxy.message_from_peer(peer, parse(made.encode()))
        return made

    def deliver(self, message: Request, hop: FakeHop) -> Request:
        """Let a phone's message arrive."""
        self.proxy.layer.message_received(parse(message.encode()), hop)
        return message

    def answer(
        self, received: Request, status: int, origin: FakeHop | FakePeer, body: bytes = b"", **headers: str
    ) -> Response:
        """Let a phone or peer answer what it was sent."""
        response = response_to(received, status, to_tag=headers.pop("tag", "t1"))
        for name, value in headers.items():
            response.append(name.replace("_", "-"), value)
        if body:
            response.append("Content-Type", "application/sdp")
            response.body = body
        if isinstance(origin, FakePeer):
            self.proxy.message_from_peer(origin, parse(response.encode()))
        else:
            self.proxy.layer.message_received(parse(response.encode()), origin)
        return response

    def _link_via(self) -> str:
        self._branch += 1
        return f"SIP/2.0/P2P [2001:2f::];branch=z9hG4bKlink{self._branch}"
