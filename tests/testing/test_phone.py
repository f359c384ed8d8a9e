"""Tests of the test phone: what it does outside of calls, and its sockets."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

from p2pship.sip.message import Request, Response, response_to
from p2pship.testing.moment import Moment
from p2pship.testing.phone import (
    AT_ONCE,
    IGNORE,
    CallOver,
    Ending,
    NoAnswer,
    Phone,
    Refused,
)
from p2pship.testing.phonesockets import TCPSockets
from tests.testing.twophones import TwoPhones, more, requests, statuses


class Heard(Protocol):
    """A connection that keeps what comes."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: Moment[None] = Moment()

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.data += data

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Tell."""
        self.lost.fire(None)


class PhoneTests(TwoPhones):
    """Registration and messages over UDP."""

    async def test_message(self) -> None:
        """A text comes with its sender, letter for letter."""
        response = await self.alice.message(self.bob.line.contact, "Hyvää päivää")
        self.assertEqual(response.status, 200)
        self.assertEqual(
            [(text.sender, text.text) for text in self.bob.texts], [("sip:alice@example.com", "Hyvää päivää")]
        )

    async def test_own_answers(self) -> None:
        """A test can answer requests in place of the phone."""
        self.bob.on_request = lambda request: response_to(request, 413)
        self.assertEqual((await self.alice.message(self.bob.line.contact, "x")).status, 413)
        call, callee = await self.up()
        callee.on_request = lambda request: response_to(request, 469) if request.method == "INFO" else None
        self.assertEqual((await call.send_info("")).status, 469)

    async def test_unknown_requests(self) -> None:
        """Unknown methods get 501, unknown dialogs 481."""
        self.assertEqual((await self.alice.request("FOO", self.bob.line.contact)).status, 501)
        self.assertEqual((await self.alice.request("OPTIONS", self.bob.line.contact)).status, 200)
        call, callee = await self.up()
        callee.end(Ending(remote=False))
        self.assertEqual((await call.request("INFO")).status, 481)

    async def test_registration(self) -> None:
        """A phone registers with its proxy, again with the same Call-ID, and ends it."""
        self.bob.on_request = lambda request: response_to(request, 200)
        self.alice.proxy = self.bob.address
        await self.alice.register(60)
        await self.alice.unregister()
        first, last = requests(self.bob, "REGISTER")
        self.assertEqual((first.uri, first.to.uri), ("sip:example.com", "sip:alice@example.com"))
        self.assertEqual((first.first("Expires"), last.first("Expires")), ("60", "0"))
        self.assertEqual((first.call_id, first.cseq[0] + 1), (last.call_id, last.cseq[0]))
        self.assertEqual(first.values("Contact"), [f"<{self.alice.line.contact}>"])
        self.bob.on_request = lambda request: response_to(request, 403)
        await self.assertFailure(self.alice.register(), Refused)

    async def test_registration_is_kept(self) -> None:
        """A phone registers again after half of the time that it was granted."""

        def grant(request: Request) -> Response:
            response = response_to(request, 200)
            response.set("Contact", f"{request.first('Contact')};expires=1")
            return response

        self.bob.on_request = grant
        self.alice.proxy = self.bob.address
        await self.alice.register()
        await self.bob.until(lambda: len(requests(self.bob, "REGISTER")) > 1)

    async def test_stop(self) -> None:
        """A phone that is switched off ends what it waits for, and tells nobody."""
        self.bob.answering = IGNORE
        call = self.place()
        await self.alice.until(lambda: statuses(self.alice) == [100])
        asked = self.alice.request("OPTIONS", "sip:x@127.0.0.1:9")
        stopped = self.alice.stop()
        await self.assertFailure(asked, NoAnswer)
        self.assertEqual((await call.ended).reason, "the phone was stopped")
        await stopped
        self.assertEqual(requests(self.bob, "CANCEL") + requests(self.bob, "BYE"), [])

    async def test_waiting_can_be_cancelled(self) -> None:
        """Who no longer waits disturbs nobody."""
        call = self.place()
        waiting = call.answered
        waiting.cancel()
        await self.assertFailure(waiting, CancelledError)
        await call.ringing


class IPv6PhoneTests(TestCase):
    """The same with IPv6 addresses."""

    async def test_call(self) -> None:
        """Two phones at ::1 hear each other."""
        alice, bob = (Phone(reactor, aor, host="::1") for aor in ("alice@example.com", "bob@example.com"))
        bob.answering = AT_ONCE
        for phone in (alice, bob):
            try:
                phone.start()
            except CannotListenError:
                raise SkipTest("this machine has no IPv6 on loopback") from None
            self.addCleanup(phone.stop)
        call = alice.call(bob.line.contact)
        await call.answered
        await more(call.media, 3)
        await more(bob.calls[0].media, 3)


class TCPPhoneTests(PhoneTests):
    """The same over TCP."""

    transport = "tcp"

    async def test_nobody_there(self) -> None:
        """A connection that cannot be made ends what waits for it."""
        await self.assertFailure(self.alice.request("OPTIONS", "sip:x@127.0.0.1:9;transport=tcp"), NoAnswer)

    async def test_connection_lost(self) -> None:
        """A request whose connection breaks ends; the next makes a new one."""
        self.bob.answering = IGNORE
        call = self.place()
        await self.alice.until(lambda: statuses(self.alice) == [100])
        sockets = self.bob.line.sockets
        assert isinstance(sockets, TCPSockets)
        sockets.drop()
        await self.assertFailure(call.answered, CallOver)
        self.assertEqual((await self.alice.message(self.bob.line.contact, "again")).status, 200)

    async def test_ping(self) -> None:
        """A ping is answered with a pong, and what is no SIP ends the connection."""
        heard = Heard()
        at = self.bob.address
        await connectProtocol(TCP4ClientEndpoint(reactor, at.host, at.port), heard)
        assert heard.transport is not None
        heard.transport.write(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        await heard.lost.wait()
        self.assertEqual(heard.data, b"\r\n")
