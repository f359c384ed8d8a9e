"""Tests for p2pship.bearer.tls, over real sockets on loopback."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface import implementer

from p2pship.address import Locator
from p2pship.bearer.admission import MOST_FROM_ONE_SOURCE
from p2pship.bearer.framing import frame_record
from p2pship.bearer.sendqueue import MOST_DATAGRAMS
from p2pship.bearer.tls import SETTINGS, TLSBearer, TLSSettings, make
from p2pship.bearer.tlslink import LONGEST_HANDSHAKE
from p2pship.config import load
from p2pship.errors import NotReached
from p2pship.interfaces import INode
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
        self.addCleanup(self.stop_all)

    def bearer(self, owner: FakeDevice, **settings: Any) -> TLSBearer:
        """Make a bearer that will be stopped."""
        chosen = TLSSettings(**{"listen": (HOST,), "port": 0, **settings})
        ports = Ports(Database(":memory:", [SCHEMA]))
        made = TLSBearer(self.clock, chosen, owner, FakeNetwork(HOST), ports, self.journal)
        self.bearers.append(made)
        return made

    @property
    def port(self) -> int:
        return int(self.bob.locators()[0].port)

    async def stop_all(self) -> None:
        done: list[Any] = []
        gatherResults([bearer.stop() for bearer in self.bearers]).addBoth(done.append)
        await self.until(lambda: done)

    async def until(self, condition: Callable[[], object], step: float = 0.0) -> None:
        while not condition():
            self.clock.advance(step)
            await deferLater(reactor, 0, lambda: None)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TLSBearerTests(TLSPair, BearerContract, TestCase):
    """The contract of all bearers."""


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

    async def test_no_server_name(self) -> None:
        """The dialler sends no server name, which would be readable for everybody on the way."""
        await self.connect()
        (link,) = self.bob._links
        self.assertIsNone(link.transport.getHandle().get_servername())


class FlowTests(TLSPair, TestCase):
    """What waits, where, and how much of it."""

    async def stuck(self) -> tuple[Any, Any, Recorder]:
        """Return a link whose far end does not read and whose path is full, and who is told what of the near end."""
        near, far = await self.connect()
        told = Recorder()
        near.start(told)
        for _ in range(60):
            near.send(bytes(60_000))
        self.assertFalse(near.writable)
        waiting = 0
        while waiting != near._queue.waiting:
            waiting = near._queue.waiting
            for _ in range(20):
                await deferLater(reactor, 0, lambda: None)
        self.assertGreater(waiting, 0)
        return near, far, told

    async def test_bounded(self) -> None:
        """What the transport and the socket hold for us is little: the rest waits where we can see it."""
        near, _far, _told = await self.stuck()
        held = near._socket
        self.assertLess(len(held.dataBuffer) + held._tempDataLen, 2 * 65_600 + 4096)

    async def test_late_media(self) -> None:
        """Of many datagrams that wait only the newest are kept; they overtake frames, and the rest is counted."""
        near, far, _told = await self.stuck()
        for number in range(1000):
            near.cast(b"%d" % number)
        self.assertEqual(self.journal.counts["tls.media_dropped"], 1000 - MOST_DATAGRAMS)
        near.send(b"last")
        far_told = Recorder()
        far.start(far_told)
        await self.until(lambda: b"last" in far_told.frames)
        self.assertEqual(
            far_told.datagrams, [b"%d" % number for number in range(1000 - MOST_DATAGRAMS, 1000)]
        )
        first = far_told.events.index("datagram")
        self.assertEqual(far_told.events[first : first + MOST_DATAGRAMS], ["datagram"] * MOST_DATAGRAMS)
        self.assertGreater(far_told.events[first:].count("frame"), 5, "frames that waited longer came after")

    async def test_old_media(self) -> None:
        """A datagram that has waited 0.2 s is not sent any more."""
        near, far, _told = await self.stuck()
        near.cast(b"old")
        self.advance(0.15)
        near.cast(b"new")
        self.advance(0.1)
        far_told = Recorder()
        far.start(far_told)
        await self.until(lambda: len(far_told.frames) == 60)
        self.assertEqual(far_told.datagrams, [b"new"])
        self.assertEqual(self.journal.counts["tls.media_dropped"], 1)

    async def test_never_taken(self) -> None:
        """Who lets more than 4 MiB wait is not waited for."""
        near, _far, told = await self.stuck()
        for _ in range(70):
            near.send(bytes(60_000))
        await self.until(lambda: told.losses)
        self.assertIn("does not take", told.losses[0])

    async def test_close_stuck(self) -> None:
        """Closing a link whose other end does not read takes 2 s."""
        near, _far, told = await self.stuck()
        near.close("enough")
        self.advance(1.9)
        for _ in range(10):
            await deferLater(reactor, 0, lambda: None)
        self.assertEqual(told.losses, [])
        self.advance(0.1)
        await self.until(lambda: told.losses)
        self.assertEqual(told.losses, ["enough"])

    async def test_reset(self) -> None:
        """A connection that is reset loses the link."""
        _near, far, near_told, far_told = await self.talk()
        far.abort("crashed")
        await self.until(lambda: near_told.losses and far_told.losses)
        self.assertEqual((len(near_told.losses), far_told.losses), (1, ["crashed"]))

    async def test_cut_short(self) -> None:
        """A connection that ends without TLS saying so loses the link, and is not taken for a close."""
        owner = ec.generate_private_key(ec.SECP256R1())
        stranger = strangers.knock_with_tls(reactor, self.port, strangers.equipped(owner))
        await self.until(lambda: self.accepted)
        told = Recorder()
        self.accepted[0].start(told)
        self.advance(0)
        stranger.transport.transport.loseConnection()
        await self.until(lambda: told.losses)
        self.assertNotIn("closed", told.losses[0])

    async def test_forged_record(self) -> None:
        """Octets that TLS did not protect end the link, and none of them is delivered."""
        owner = ec.generate_private_key(ec.SECP256R1())
        stranger = strangers.knock_with_tls(reactor, self.port, strangers.equipped(owner))
        await self.until(lambda: self.accepted)
        told = Recorder()
        self.accepted[0].start(told)
        self.accepted[0].send(b"hello")
        await self.until(lambda: stranger.heard)
        stranger.transport.transport.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        await self.until(lambda: told.losses)
        self.assertEqual((told.frames, len(told.losses)), ([], 1))

    async def test_socket_options(self) -> None:
        """The socket sends at once, keeps little, and notices that the other side is gone."""
        near, _far = await self.connect()
        handle = near._socket.getHandle()
        self.assertTrue(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        self.assertTrue(handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            self.assertEqual(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 30_000)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            self.assertEqual(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT), 8192)


class DialTests(TLSPair, TestCase):
    """Dialling those that do not answer as they should."""

    def listen_mute(self) -> tuple[Locator, list[Any]]:
        """Listen for TCP, and say nothing."""
        met: list[Any] = []

        class Mute(Protocol):
            def connectionMade(self) -> None:
                met.append(self)

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                met.remove(self)

        listener: Any = self.clock.listenTCP(0, Factory.forProtocol(Mute), interface=HOST)
        self.addCleanup(listener.stopListening)
        return Locator("tls", HOST, listener.getHost().port), met

    async def test_mute(self) -> None:
        """Who accepts and then says nothing is given up after 5 s."""
        locator, met = self.listen_mute()
        outcome: list[Any] = []
        self.alice.dial(device("bob").key, [locator]).addErrback(outcome.append)
        await self.until(lambda: met)
        await self.until(lambda: outcome, step=1)
        self.assertTrue(outcome[0].check(NotReached))
        self.assertIn("5 s", outcome[0].getErrorMessage())
        await self.until(lambda: not met)

    async def test_cancel(self) -> None:
        """A dial that is cancelled leaves nothing behind."""
        locator, met = self.listen_mute()
        dial = self.alice.dial(device("bob").key, [locator])
        await self.until(lambda: met)
        dial.cancel()
        self.failureResultOf(dial, CancelledError)
        await self.until(lambda: not met)
        self.assertEqual((self.alice._links, self.clock.getDelayedCalls()), (set(), []))

    async def test_cancel_connecting(self) -> None:
        """A dial that is cancelled before there is a connection leaves nothing behind either."""
        dial = self.alice.dial(device("bob").key, self.bob.locators())
        dial.cancel()
        self.failureResultOf(dial, CancelledError)
        self.assertEqual((self.alice._links, self.clock.getDelayedCalls()), (set(), []))

    async def test_stop_dialling(self) -> None:
        """A bearer that stops fails the dials under way."""
        locator, met = self.listen_mute()
        dial = self.alice.dial(device("bob").key, [locator, *self.bob.locators()])
        await self.until(lambda: met)
        self.bearers.remove(self.alice)
        stopped: list[Any] = []
        self.alice.stop().addBoth(stopped.append)
        await self.until(lambda: stopped)
        self.failureResultOf(dial, NotReached)

    async def test_overtaken(self) -> None:
        """A locator that does not answer is overtaken by the next after a quarter of a second."""
        locator, met = self.listen_mute()
        links: list[Any] = []
        self.alice.dial(device("bob").key, [locator, *self.bob.locators()]).addCallback(links.append)
        await self.until(lambda: met)
        self.advance(0.25)
        await self.until(lambda: links)
        self.assertEqual(links[0].locator, self.bob.locators()[0])
        await self.until(lambda: not met)

    async def test_not_tls(self) -> None:
        """Who answers something else than TLS is not reached, and the reason is given in words."""
        locator, met = self.listen_mute()
        outcome: list[Any] = []
        self.alice.dial(device("bob").key, [locator]).addErrback(outcome.append)
        await self.until(lambda: met)
        met[0].transport.write(b"220 mail.example.com ESMTP\r\n")
        await self.until(lambda: outcome)
        self.assertIn(f"{locator}: TLS: ", outcome[0].getErrorMessage())

    async def test_no_taker(self) -> None:
        """When the node fails to take a link, the bug is logged and the connection ended."""
        carol = self.bearer(device("carol"))

        def broken(_link: Any) -> None:
            raise ZeroDivisionError

        self.successResultOf(carol.listen(broken, lambda: None))
        links: list[Any] = []
        self.alice.dial(device("carol").key, carol.locators()).addCallback(links.append)
        await self.until(lambda: links)
        told = Recorder()
        links[0].start(told)
        await self.until(lambda: told.losses)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ListenTests(TLSPair, TestCase):
    """Where a bearer listens, and what it says of that."""

    def test_taken_port(self) -> None:
        """When the port is taken, the next free one is."""
        carol = self.bearer(device("carol"), port=self.port)
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        self.assertGreater(carol.locators()[0].port, self.port)

    def test_no_such_address(self) -> None:
        """When this machine has none of the addresses to listen on, listening fails with the reason."""
        carol = self.bearer(device("carol"), listen=("192.0.2.1",))
        failure = self.failureResultOf(carol.listen(self.accepted.append, lambda: None), NoPortFree)
        self.assertIn("192.0.2.1", failure.getErrorMessage())
        self.assertEqual(carol.locators(), [])

    def test_some_addresses(self) -> None:
        """An address that this machine does not have does not keep it from listening on the others."""
        carol = self.bearer(device("carol"), listen=("192.0.2.1", HOST))
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        self.assertEqual([locator.host for locator in carol.locators()], [HOST])

    async def test_both_families(self) -> None:
        """By default both families are listened on with one port number."""
        if not has_ipv6():
            raise SkipTest("this machine has no IPv6")
        carol = self.bearer(device("carol"), listen=TLSSettings().listen)
        self.successResultOf(carol.listen(self.accepted.append, lambda: None))
        port = carol.locators()[0].port
        for host in (HOST, "::1"):
            links: list[Any] = []
            self.alice.dial(device("carol").key, [Locator("tls", host, port)]).addBoth(links.append)
            await self.until(lambda: self.accepted)
            self.assertEqual(links[0].remote.host, host)
            self.assertEqual(self.accepted.pop().remote.host, host)

    def test_locators_changed(self) -> None:
        """When the addresses change, the node is told; when they do not, it is not."""
        network = FakeNetwork("192.0.2.1")
        told: list[str] = []
        ports = Ports(Database(":memory:", [SCHEMA]))
        carol = TLSBearer(self.clock, TLSSettings(port=0), device("carol"), network, ports, self.journal)
        self.bearers.append(carol)
        self.successResultOf(carol.listen(self.accepted.append, lambda: told.append("changed")))
        network.become("192.0.2.1")
        self.assertEqual(told, [])
        network.become("192.0.2.2", "2001:db8::2")
        self.assertEqual(told, ["changed"])
        self.assertEqual([locator.host for locator in carol.locators()], ["192.0.2.2", "2001:db8::2"])

    def test_made_from_settings(self) -> None:
        """The section's defaults can be read, and ``make`` makes a bearer of a node's parts."""
        settings = load(None, {"bearer.tls": SETTINGS}).get(TLSSettings)
        self.assertEqual((settings.port, settings.listen), (5566, ("0.0.0.0", "::")))
        bearer = make(self.clock, settings, FakeNode(self.journal))
        self.assertEqual((bearer.name, bearer.encrypted, bearer.locators()), ("tls", True, []))

    async def test_quiet(self) -> None:
        """Nothing that is used of TLS is deprecated: a node's log would fill with warnings."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await self.connect()


@implementer(INode)
class FakeNode:
    """What a bearer asks of a node."""

    def __init__(self, journal: Journal) -> None:
        self.keyring = self
        self.device = device("alice")
        self.network = FakeNetwork(HOST)
        self.ports = Ports(Database(":memory:", [SCHEMA]))
        self.journal = journal
        self.random = os.urandom


def has_ipv6() -> bool:
    """Tell whether this machine has an IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True
