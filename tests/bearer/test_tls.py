"""Tests for p2pship.bearer.tls, over real sockets on loopback."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase

from p2pship.address import Locator
from p2pship.bearer.admission import MOST_FROM_ONE_SOURCE
from p2pship.bearer.framing import frame_record
from p2pship.bearer.tls import SETTINGS, TLSBearer, TLSSettings, make
from p2pship.bearer.tlslink import LONGEST_HANDSHAKE
from p2pship.config import Config, load
from p2pship.errors import NotReached
from p2pship.journal import Journal
from p2pship.storage.database import Database
from p2pship.storage.ports import SCHEMA, NoPortFree, Ports
from tests.bearer import strangers
from tests.bearer.contract import BearerContract, BearerPair
from tests.bearer.fakes import ClockedReactor, FakeDevice, FakeNetwork, Recorder, device

HOST = "127.0.0.1"


class TLSPair(BearerPair):
    """Two TLS bearers on real sockets, in a time that only the test moves."""

    def setUp(self) -> None:
        self.clock = ClockedReactor(reactor)
        self.journal = Journal()
        self.accepted: list[Any] = []
        self.bearers: list[TLSBearer] = []
        self.alice = self.bearer(device("alice"))
        self.bob = self.bearer(device("bob"))
        self.successResultOf(self.bob.listen(self.accepted.append, lambda: None))

    def bearer(self, owner: FakeDevice, **settings: Any) -> TLSBearer:
        """Make a bearer that will be stopped."""
        chosen = TLSSettings(**{"listen": (HOST,), "port": 0, **settings})
        ports = Ports(Database(":memory:", [SCHEMA]))
        made = TLSBearer(self.clock, chosen, owner, FakeNetwork(HOST), ports, self.journal)
        self.bearers.append(made)
        return made

    @property
    def port(self) -> int:
        return self.bob.locators()[0].port

    async def tearDown(self) -> None:
        done: list[Any] = []
        gatherResults([bearer.stop() for bearer in self.bearers]).addBoth(done.append)
        await self.until(lambda: done)

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.clock.advance(0)
            await deferLater(reactor, 0, lambda: None)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TLSBearerTests(TLSPair, BearerContract, TestCase):
    """The contract of all bearers."""


class StrangerTests(TLSPair, TestCase):
    """Who is not let in, and what they can cost."""

    async def turned_away(self, stranger: strangers.Stranger) -> None:
        """Wait until a stranger is out, and nobody was told of a link."""
        await self.until(lambda: stranger.lost)
        await self.until(lambda: self.journal.counts["tls.refused"])
        self.assertEqual((self.accepted, stranger.heard), ([], b""))

    async def test_no_certificate(self) -> None:
        """Who proves no key is not let in."""
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, strangers.context()))

    async def test_let_in(self) -> None:
        """The stranger of these tests is let in when it does all as a node does."""
        owner = ec.generate_private_key(ec.SECP256R1())
        stranger = strangers.knock_with_tls(reactor, self.port, strangers.equipped(owner), frame_record(b"hi"))
        await self.until(lambda: self.accepted)
        told = Recorder()
        self.accepted[0].start(told)
        await self.until(lambda: told.frames)
        self.assertEqual((told.frames, stranger.lost), ([b"hi"], None))

    async def test_another_key(self) -> None:
        """Who presents another device's certificate, but has not its private key, is not let in."""
        thief = ec.generate_private_key(ec.SECP256R1())
        made = strangers.forged(device("alice").private_key.public_key(), thief)
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, made))

    async def test_own_key(self) -> None:
        """Who has this device's own key is a reflection or a thief, and not let in."""
        made = strangers.equipped(device("bob").private_key)
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, made))

    async def test_other_kind_of_key(self) -> None:
        """A key that no device can have is refused in the handshake."""
        owner = ed25519.Ed25519PrivateKey.generate()
        made = strangers.context()
        issuer = ec.generate_private_key(ec.SECP256R1())
        made.use_certificate(strangers.certificate_for(owner.public_key(), issuer))
        made.use_privatekey(owner)
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, made))

    async def test_old_version(self) -> None:
        """TLS 1.2 is refused, even with a key."""
        made = strangers.equipped(ec.generate_private_key(ec.SECP256R1()))
        made.set_max_proto_version(SSL.TLS1_2_VERSION)
        stranger = strangers.knock_with_tls(reactor, self.port, made)
        await self.turned_away(stranger)
        self.assertFalse(stranger.completed)

    async def test_other_purpose(self) -> None:
        """TLS that was made for something else is refused in the handshake."""
        made = strangers.equipped(ec.generate_private_key(ec.SECP256R1()), strangers.context(b"http/1.1"))
        stranger = strangers.knock_with_tls(reactor, self.port, made)
        await self.turned_away(stranger)
        self.assertFalse(stranger.completed)

    async def test_no_purpose(self) -> None:
        """TLS that does not say what it is for is refused."""
        made = strangers.equipped(ec.generate_private_key(ec.SECP256R1()), strangers.context(b""))
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, made))

    async def test_garbage(self) -> None:
        """Something else than TLS ends the connection at once."""
        await self.turned_away(strangers.knock(reactor, self.port, b"GET / HTTP/1.1\r\n\r\n"))

    async def test_slow_handshake(self) -> None:
        """Who says nothing for 5 s has to go."""
        stranger = strangers.knock(reactor, self.port)
        await self.until(lambda: self.clock.getDelayedCalls())
        self.advance(4.9)
        self.assertIsNone(stranger.lost)
        self.advance(0.1)
        await self.turned_away(stranger)

    async def test_long_handshake(self) -> None:
        """A handshake that goes on and on is ended: here a ClientHello in ever more fragments (RFC 8446 §5.1)."""
        fragments = b"".join(b"\x16\x03\x01\x04\x00" + self.hello(part) for part in range(32))
        self.assertGreater(len(fragments), LONGEST_HANDSHAKE)
        await self.turned_away(strangers.knock(reactor, self.port, fragments))

    @staticmethod
    def hello(part: int) -> bytes:
        return bytes(1024) if part else b"\x01\x00\xff\xff\x03\x03" + bytes(1018)

    async def test_no_session(self) -> None:
        """A session cannot be resumed: each connection proves its key anew."""
        owner = ec.generate_private_key(ec.SECP256R1())
        made = strangers.equipped(owner)
        first = strangers.knock_with_tls(reactor, self.port, made)
        await self.until(lambda: self.accepted)
        self.accepted.pop().send(b"the tickets came before this")
        await self.until(lambda: first.heard)
        session = first.transport.getHandle().get_session()
        second = strangers.knock_with_tls(reactor, self.port, made, session=session)
        await self.until(lambda: self.accepted)
        self.assertTrue(self.accepted[0].proof)
        handle = second.transport.getHandle()
        self.assertNotEqual(handle.get_session(), None)
        self.assertEqual(handle.get_protocol_version_name(), "TLSv1.3")
        self.assertFalse(session_reused(handle))

    async def test_many_from_one_place(self) -> None:
        """Only so many may be at the door from one address; the next are closed at once, and later others come in."""
        crowd = [strangers.knock(reactor, self.port) for _ in range(MOST_FROM_ONE_SOURCE + 3)]
        await self.until(lambda: sum(stranger.lost is not None for stranger in crowd) == 3)
        self.assertEqual(self.journal.counts["tls.over_limit"], 3)
        self.advance(5)
        await self.until(lambda: all(stranger.lost for stranger in crowd))
        await self.connect()

    async def test_unstarted_reads_little(self) -> None:
        """A link that nobody starts keeps no more than one small read."""
        owner = ec.generate_private_key(ec.SECP256R1())
        flood = frame_record(bytes(65_600)) * 20
        stranger = strangers.knock_with_tls(reactor, self.port, strangers.equipped(owner), flood)
        await self.until(lambda: self.accepted and stranger.completed)
        for _ in range(50):
            await deferLater(reactor, 0, lambda: None)
        self.assertLessEqual(self.accepted[0]._reader.waiting, 4096)
        told = Recorder()
        self.accepted[0].start(told)
        await self.until(lambda: len(told.frames) == 20)

    async def test_broken_framing(self) -> None:
        """Garbage inside TLS ends the link, which is told why."""
        owner = ec.generate_private_key(ec.SECP256R1())
        stranger = strangers.knock_with_tls(reactor, self.port, strangers.equipped(owner), b"garbage!")
        await self.until(lambda: self.accepted)
        told = Recorder()
        self.accepted[0].start(told)
        await self.until(lambda: told.losses and stranger.lost)
        self.assertIn("framing", told.losses[0])


def session_reused(connection: SSL.Connection) -> bool:
    """Tell whether a connection resumed a session: then the listener sends no certificate, and the chain is empty."""
    return not connection.get_peer_cert_chain()
