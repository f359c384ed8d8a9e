"""Tests of the test phone: two of them talk over real sockets on loopback."""

from __future__ import annotations

from random import Random

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList, gatherResults
from twisted.trial.unittest import TestCase

from p2pship.sip.message import Request, Response, response_to
from p2pship.sip.sdp import SDP
from p2pship.testing.audio import compare, speech
from p2pship.testing.phone import (
    AT_ONCE,
    BUSY,
    DECLINE,
    IGNORE,
    Answering,
    Call,
    CallOver,
    Ending,
    IncomingCall,
    NoAnswer,
    OutgoingCall,
    Phone,
    Refused,
    ring_then_answer,
)
from p2pship.testing.phonecall import State
from p2pship.testing.phonemedia import Media


def requests(phone: Phone, method: str) -> list[Request]:
    """Return what a phone received of a method."""
    return [
        message for message in phone.received if isinstance(message, Request) and message.method == method
    ]


def statuses(phone: Phone) -> list[int]:
    """Return the statuses that a phone received, without repetitions in a row."""
    found = [message.status for message in phone.received if isinstance(message, Response)]
    return [status for at, status in enumerate(found) if not at or found[at - 1] != status]


def more(media: Media, count: int) -> Deferred[None]:
    """Wait for so many more packets."""
    wanted = len(media.packets) + count
    return media.until(lambda: len(media.packets) >= wanted)


async def refusal(call: Call) -> Refused:
    """Return why a call was refused."""
    try:
        await call.answered
    except Refused as error:
        return error
    raise AssertionError("it was answered")


class PhoneTests(TestCase):
    """Calls and messages over UDP."""

    transport = "udp"
    timeout = 60

    def setUp(self) -> None:
        """Switch two phones on."""
        self.alice = self._phone("alice@example.com", display="Alice")
        self.bob = self._phone("bob@example.com")

    def _phone(self, aor: str, display: str = "") -> Phone:
        phone = Phone(reactor, aor, transport=self.transport, display=display, random=Random(len(aor)))
        phone.start()
        self.addCleanup(phone.stop)
        return phone

    def _call(self, offer: bool = True) -> OutgoingCall:
        return self.alice.call(self.bob.line.contact, offer=offer)

    async def _up(self, offer: bool = True) -> tuple[OutgoingCall, IncomingCall]:
        """Return both ends of a call that is up."""
        self.bob.answering = AT_ONCE
        call = self._call(offer)
        await call.answered
        callee = self.bob.calls[-1]
        assert isinstance(callee, IncomingCall)
        await callee.answered
        return call, callee

    async def test_call(self) -> None:
        """It rings, is answered by hand, and ends by BYE; every message is on record."""
        offered: list[IncomingCall] = []
        self.bob.on_call = offered.append
        call = self._call()
        await call.ringing
        self.assertEqual((call.state, offered[0].state), (State.RINGING, State.RINGING))
        self.assertEqual(
            (offered[0].remote, offered[0].dialog.remote.display), ("sip:alice@example.com", "Alice")
        )
        await gatherResults([offered[0].answer(), call.answered])
        ended = offered[0].ended
        self.assertEqual(await call.hang_up("Q.850;cause=16"), Ending(remote=False))
        self.assertEqual(await ended, Ending(remote=True, reason="Q.850;cause=16"))
        await self.alice.until(
            lambda: statuses(self.alice)[-2:] == [200, 200] or len(requests(self.bob, "BYE")) > 0
        )
        self.assertEqual(statuses(self.alice)[:3], [100, 180, 200])
        kinds = [message.method for message in self.bob.received if isinstance(message, Request)]
        self.assertEqual(sorted(set(kinds)), ["ACK", "BYE", "INVITE"])

    async def test_callee_hangs_up(self) -> None:
        """The one who was called can end the call too."""
        call, callee = await self._up()
        callee.hang_up()
        self.assertEqual(await call.ended, Ending(remote=True))

    async def test_sound(self) -> None:
        """What one plays the other hears, in both directions."""
        call, callee = await self._up()
        ours, theirs = speech(2.5, seed=1), speech(2.5, seed=2)
        await gatherResults([call.media.play(ours.samples), callee.media.play(theirs.samples)])
        await callee.media.until(lambda: len(callee.media.packets) >= call.media.sent)
        await call.media.until(lambda: len(call.media.packets) >= callee.media.sent)
        for sent, heard in ((ours, callee.media.sound()), (theirs, call.media.sound())):
            comparison = compare(sent, heard)
            self.assertTrue(comparison.alike, comparison)
            self.assertGreaterEqual(comparison.seconds, 2)

    async def test_control(self) -> None:
        """RTCP goes to the port that the SDP says."""
        call, callee = await self._up()
        call.media.send_control(b"\x80\xc9\x00\x01abcd")
        await callee.media.until(lambda: callee.media.control == [b"\x80\xc9\x00\x01abcd"])

    async def test_digits(self) -> None:
        """Digits go as telephone events, each heard once, also when repeated (RFC 4733)."""
        call, callee = await self._up()
        await call.send_dtmf("1123#")
        await callee.media.until(lambda: len(callee.media.digits) == 5)
        self.assertEqual(callee.media.digits, "1123#")
        events = [packet for packet in callee.media.packets if packet.payload_type == 101]
        self.assertEqual(len({packet.timestamp for packet in events}), 5)
        self.assertEqual(sum(packet.marker for packet in events), 5)

    async def test_info(self) -> None:
        """Digits can go as INFO as well."""
        call, callee = await self._up()
        response = await call.send_info("Signal=5\r\nDuration=160\r\n")
        self.assertEqual((response.status, callee.infos[0].body), (200, b"Signal=5\r\nDuration=160\r\n"))

    async def test_hold(self) -> None:
        """Hold stops the other side's packets, resume starts them again (RFC 3264 §8.4)."""
        call, callee = await self._up()
        for by_address in (False, True):
            await call.hold(by_address)
            self.assertEqual((call.media.direction, callee.media.direction), ("sendonly", "recvonly"))
            await more(callee.media, 5)  # what was under way has come
            held = len(call.media.packets)
            await more(callee.media, 5)
            self.assertEqual(len(call.media.packets), held)
            await call.resume()
            self.assertEqual((call.media.direction, callee.media.direction), ("sendrecv", "sendrecv"))
            await more(call.media, 3)
        shown = [SDP.parse(message.body).media[0].host for message in requests(self.bob, "INVITE")]
        self.assertIn("0.0.0.0", shown)

    async def test_both_reinvite(self) -> None:
        """A re-INVITE that meets another is refused with 491 (RFC 3261 §14.2)."""
        call, callee = await self._up()
        results = await DeferredList([call.hold(), callee.hold()], consumeErrors=True)
        errors = [result.value for succeeded, result in results if not succeeded]
        self.assertTrue(errors)
        self.assertEqual({error.status for error in errors}, {491})

    async def test_late_offer(self) -> None:
        """An INVITE without offer gets it in the 2xx, and the ACK answers."""
        call, callee = await self._up(offer=False)
        self.assertEqual((call.media.direction, callee.media.direction), ("sendrecv", "sendrecv"))
        await more(callee.media, 3)
        await more(call.media, 3)

    async def test_early_media(self) -> None:
        """A callee can be heard before it answers."""
        self.bob.answering = IGNORE
        self.bob.on_call = lambda call: call.ring(early_media=True)
        call = self._call()
        await call.ringing
        await more(call.media, 3)
        callee = self.bob.calls[0]
        assert isinstance(callee, IncomingCall)
        await gatherResults([callee.answer(), call.answered])
        self.assertEqual(statuses(self.alice), [100, 183, 200])

    async def test_refusals(self) -> None:
        """Busy, decline and other refusals reach the caller with their status."""
        for answering, status in ((BUSY, 486), (DECLINE, 603), (Answering(status=480), 480)):
            self.bob.answering = answering
            call = self._call()
            self.assertEqual((await refusal(call)).status, status)
            self.assertEqual((await call.ended).status, status)
            await self.assertFailure(call.ringing, Refused)

    async def test_ring_then_answer(self) -> None:
        """A phone can answer by itself after a while."""
        self.bob.answering = ring_then_answer(0.01)
        await self._call().answered
        self.assertEqual(statuses(self.alice), [100, 180, 200])

    async def test_cancel(self) -> None:
        """A call that is given up ends with 487 at both ends."""
        call = self._call()
        await call.ringing
        ending = await call.cancel()
        self.assertEqual((ending.status, call.state), (487, State.ENDED))
        self.assertEqual((await self.bob.calls[0].ended).status, 487)
        self.assertEqual(len(requests(self.bob, "CANCEL")), 1)
        await self.assertFailure(call.answered, Refused)

    async def test_cancel_waits(self) -> None:
        """CANCEL is not sent before the first 1xx (RFC 3261 §9.1)."""
        call = self._call()
        ended = call.hang_up()
        self.assertEqual(
            [message.method for message in self.alice.sent if isinstance(message, Request)], ["INVITE"]
        )
        self.assertEqual((await ended).status, 487)

    async def test_callee_gives_up(self) -> None:
        """Hanging up a call that rings refuses it, and nothing can be done with it after."""
        call = self._call()
        await call.ringing
        callee = self.bob.calls[0]
        assert isinstance(callee, IncomingCall)
        await callee.hang_up()
        await self.assertFailure(callee.answer(), CallOver)
        callee.ring()
        callee.reject()
        self.assertEqual((await call.ended).status, 480)

    async def test_no_common_media(self) -> None:
        """A call whose offer has nothing that the phone can do is refused with 488."""
        call, callee = await self._up()
        body = call.media.offer().replace(b"RTP/AVP 0", b"RTP/AVP 9")
        request = call.dialog.request(
            "INVITE", [self.alice.line.contact_header, ("Content-Type", "application/sdp")], body
        )
        self.assertEqual((await self.alice.line.transact(request)).status, 488)
        self.assertEqual(callee.state, State.UP)

    async def test_video_refused(self) -> None:
        """Lines that the phone cannot do are answered with port 0, in their place."""
        _, callee = await self._up()
        media = callee.media
        audio = media.offer()
        offer = audio.replace(b"m=audio", b"m=video 5000 RTP/AVP 31\r\nm=audio")
        answer = SDP.parse(media.take_offer(offer))
        self.assertEqual(
            [(line.kind, line.port) for line in answer.media], [("video", 0), ("audio", media.address.port)]
        )

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
        call, callee = await self._up()
        callee.on_request = lambda request: response_to(request, 469) if request.method == "INFO" else None
        self.assertEqual((await call.send_info("")).status, 469)

    async def test_unknown_requests(self) -> None:
        """Unknown methods get 501, unknown dialogs 481."""
        self.assertEqual((await self.alice.request("FOO", self.bob.line.contact)).status, 501)
        self.assertEqual((await self.alice.request("OPTIONS", self.bob.line.contact)).status, 200)
        call, callee = await self._up()
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

    async def test_stop(self) -> None:
        """A phone that is switched off ends what it waits for, and tells nobody."""
        self.bob.answering = IGNORE
        call = self._call()
        await self.alice.until(lambda: statuses(self.alice) == [100])
        asked = self.alice.request("OPTIONS", "sip:x@127.0.0.1:9")
        stopped = self.alice.stop()
        await self.assertFailure(asked, NoAnswer)
        self.assertEqual((await call.ended).reason, "the phone was stopped")
        await stopped
        self.assertEqual(requests(self.bob, "CANCEL") + requests(self.bob, "BYE"), [])

    async def test_waiting_can_be_cancelled(self) -> None:
        """Who no longer waits disturbs nobody."""
        call = self._call()
        waiting = call.answered
        waiting.cancel()
        await self.assertFailure(waiting, CancelledError)
        await call.ringing


class TCPPhoneTests(PhoneTests):
    """The same over TCP."""

    transport = "tcp"

    async def test_nobody_there(self) -> None:
        """A connection that cannot be made ends what waits for it."""
        await self.assertFailure(self.alice.request("OPTIONS", "sip:x@127.0.0.1:9;transport=tcp"), NoAnswer)
