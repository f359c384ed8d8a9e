"""Tests for p2pship.bearer.tlslink: who is let in, over real sockets on loopback."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from p2pship.bearer.admission import MOST_FROM_ONE_SOURCE
from p2pship.bearer.framing import frame_record
from p2pship.bearer.tls import TLSBearer
from p2pship.bearer.tlslink import LONGEST_HANDSHAKE
from tests.bearer import strangers
from tests.bearer.fakes import Recorder, device
from tests.bearer.streampair import TLSPair


class StrangerTests(TLSPair, TestCase):
    """Who is not let in, and what they can cost."""

    def setUp(self) -> None:
        super().setUp()
        self.log: list[Any] = []
        observer: Any = self.log.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    async def turned_away(self, stranger: strangers.Stranger, reason: str) -> None:
        """Wait until a stranger is out, for this reason; nobody was told of a link."""
        await self.until(lambda: stranger.lost)
        await self.until(lambda: self.journal.counts["tls.refused"])
        self.assertEqual((self.accepted, stranger.heard), ([], b""))
        reasons = [
            event["reason"] for event in self.log if event.get("log_namespace") == TLSBearer.log.namespace
        ]
        self.assertIn(reason, "; ".join(reasons))

    async def test_no_certificate(self) -> None:
        """Who proves no key is not let in."""
        await self.turned_away(
            strangers.knock_with_tls(reactor, self.port, strangers.context()), "did not return a certificate"
        )

    async def test_let_in(self) -> None:
        """The stranger of these tests is let in when it does all as a node does."""
        owner = ec.generate_private_key(ec.SECP256R1())
        stranger = strangers.knock_with_tls(
            reactor, self.port, strangers.equipped(owner), frame_record(b"hi")
        )
        await self.until(lambda: self.accepted)
        told = Recorder()
        self.accepted[0].start(told)
        await self.until(lambda: told.frames)
        self.assertEqual((told.frames, stranger.lost), ([b"hi"], None))

    async def test_another_key(self) -> None:
        """Who presents another device's certificate, but has not its private key, is not let in."""
        thief = ec.generate_private_key(ec.SECP256R1())
        made = strangers.forged(device("alice").private_key.public_key(), thief)
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, made), "bad signature")

    async def test_own_key(self) -> None:
        """Who has this device's own key is a reflection or a thief, and not let in."""
        made = strangers.equipped(device("bob").private_key)
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, made), "own key")

    async def test_other_kind_of_key(self) -> None:
        """A key that no device can have is refused in the handshake."""
        owner = ed25519.Ed25519PrivateKey.generate()
        made = strangers.context()
        issuer = ec.generate_private_key(ec.SECP256R1())
        made.use_certificate(strangers.certificate_for(owner.public_key(), issuer))
        made.use_privatekey(owner)
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, made), "verify failed")

    async def test_chain(self) -> None:
        """Who brings those along that have signed its certificate is refused before a signature of theirs is looked at: they could be slow ones."""
        owner, issuer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        made = strangers.context()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "above")])
        made.use_certificate(strangers.certificate_for(owner.public_key(), issuer, issuer=name))
        made.use_privatekey(owner)
        above = strangers.certificate_for(issuer.public_key(), issuer, name, name)
        made.add_extra_chain_cert(crypto.X509.from_cryptography(above))
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, made), "verify failed")

    async def test_old_version(self) -> None:
        """TLS 1.2 is refused, even with a key."""
        made = strangers.equipped(ec.generate_private_key(ec.SECP256R1()))
        made.set_max_proto_version(SSL.TLS1_2_VERSION)
        stranger = strangers.knock_with_tls(reactor, self.port, made)
        await self.turned_away(stranger, "unsupported protocol")
        self.assertFalse(stranger.completed)

    async def test_other_purpose(self) -> None:
        """TLS that was made for something else is refused in the handshake."""
        made = strangers.equipped(ec.generate_private_key(ec.SECP256R1()), strangers.context(b"http/1.1"))
        stranger = strangers.knock_with_tls(reactor, self.port, made)
        await self.turned_away(stranger, "no application protocol")
        self.assertFalse(stranger.completed)

    async def test_no_purpose(self) -> None:
        """TLS that does not say what it is for is refused."""
        made = strangers.equipped(ec.generate_private_key(ec.SECP256R1()), strangers.context(b""))
        await self.turned_away(strangers.knock_with_tls(reactor, self.port, made), "does not speak p2pship/1")

    async def test_garbage(self) -> None:
        """Something else than TLS ends the connection at once."""
        await self.turned_away(strangers.knock(reactor, self.port, b"GET / HTTP/1.1\r\n\r\n"), "http request")

    async def test_slow_handshake(self) -> None:
        """Who says nothing for 5 s has to go."""
        stranger = strangers.knock(reactor, self.port)
        await self.until(lambda: self.clock.getDelayedCalls())
        self.advance(4.9)
        self.assertIsNone(stranger.lost)
        self.advance(0.1)
        await self.turned_away(stranger, "within 5 s")

    async def test_long_handshake(self) -> None:
        """A handshake that goes on and on is ended: here a ClientHello in ever more fragments (RFC 8446 §5.1)."""
        fragments = b"".join(b"\x16\x03\x01\x04\x00" + self.hello(part) for part in range(32))
        self.assertGreater(len(fragments), LONGEST_HANDSHAKE)
        await self.turned_away(strangers.knock(reactor, self.port, fragments), "too long")

    @staticmethod
    def hello(part: int) -> bytes:
        return bytes(1024) if part else b"\x01\x00\xff\xff\x03\x03" + bytes(1018)

    async def test_many_from_one_place(self) -> None:
        """Only so many may be at the door from one address: the eldest go, and who is honest comes in beside them."""
        crowd = [strangers.knock(reactor, self.port) for _ in range(MOST_FROM_ONE_SOURCE + 3)]
        await self.until(lambda: sum(stranger.lost is not None for stranger in crowd) == 3)
        self.assertEqual(self.journal.counts["tls.over_limit"], 3)
        await self.connect()
        self.assertEqual(self.journal.counts["tls.over_limit"], 4)
        self.advance(5)
        await self.until(lambda: all(stranger.lost for stranger in crowd))

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

    async def test_no_server_name(self) -> None:
        """The dialler sends no server name, which would be readable for everybody on the way."""
        await self.connect()
        (link,) = self.bob._links
        self.assertIsNone(link.transport.getHandle().get_servername())
