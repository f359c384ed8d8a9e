"""Tests of the test phone's calls: two of them talk over real sockets on loopback."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import DeferredList, gatherResults

from p2pship.sip.message import Request, response_to
from p2pship.sip.sdp import SDP
from p2pship.testing.audio import compare, speech
from p2pship.testing.phone import (
    AT_ONCE,
    BUSY,
    DECLINE,
    IGNORE,
    Answering,
    CallOver,
    Ending,
    IncomingCall,
    Refused,
    ring_then_answer,
)
from p2pship.testing.phonecall import State
from tests.testing.twophones import TwoPhones, more, refusal, requests, statuses


class CallTests(TwoPhones):
    """Calls over UDP."""

    async def test_call(self) -> None:
        """It rings, is answered by hand, and ends by BYE; every message is on record."""
        offered: list[IncomingCall] = []
        self.bob.on_call = offered.append
        call = self.place()
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
        call, callee = await self.up()
        callee.hang_up()
        self.assertEqual(await call.ended, Ending(remote=True))

    async def test_sound(self) -> None:
        """What one plays the other hears, in both directions."""
        call, callee = await self.up()
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
        call, callee = await self.up()
        call.media.send_control(b"\x80\xc9\x00\x01abcd")
        await callee.media.until(lambda: callee.media.control == [b"\x80\xc9\x00\x01abcd"])

    async def test_digits(self) -> None:
        """Digits go as telephone events, each heard once, also when repeated (RFC 4733)."""
        call, callee = await self.up()
        await call.send_dtmf("1123#")
        await callee.media.until(lambda: len(callee.media.digits) == 5)
        self.assertEqual(callee.media.digits, "1123#")
        events = [packet for packet in callee.media.packets if packet.payload_type == 101]
        self.assertEqual(len({packet.timestamp for packet in events}), 5)
        self.assertEqual(sum(packet.marker for packet in events), 5)

    async def test_info(self) -> None:
        """Digits can go as INFO as well."""
        call, callee = await self.up()
        response = await call.send_info("Signal=5\r\nDuration=160\r\n")
        self.assertEqual((response.status, callee.infos[0].body), (200, b"Signal=5\r\nDuration=160\r\n"))

    async def test_hold(self) -> None:
        """Hold stops the other side's packets, resume starts them again (RFC 3264 §8.4)."""
        call, callee = await self.up()
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
        call, callee = await self.up()
        results: list[tuple[bool, Any]] = await DeferredList([call.hold(), callee.hold()], consumeErrors=True)
        statuses = {
            getattr(result, "status", 0) if succeeded else result.value.status
            for succeeded, result in results
        }
        self.assertLessEqual(statuses, {200, 491})
        self.assertIn(491, statuses)

    async def test_late_offer(self) -> None:
        """An INVITE without offer gets it in the 2xx, and the ACK answers."""
        call, callee = await self.up(offer=False)
        self.assertEqual((call.media.direction, callee.media.direction), ("sendrecv", "sendrecv"))
        await more(callee.media, 3)
        await more(call.media, 3)

    async def test_early_media(self) -> None:
        """A callee can be heard before it answers."""
        self.bob.answering = IGNORE
        self.bob.on_call = lambda call: call.ring(early_media=True)
        call = self.place()
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
            call = self.place()
            self.assertEqual((await refusal(call)).status, status)
            self.assertEqual((await call.ended).status, status)
            await self.assertFailure(call.ringing, Refused)

    async def test_ring_then_answer(self) -> None:
        """A phone can answer by itself after a while."""
        self.bob.answering = ring_then_answer(0.01)
        await self.place().answered
        self.assertEqual(statuses(self.alice), [100, 180, 200])

    async def test_cancel(self) -> None:
        """A call that is given up ends with 487 at both ends."""
        call = self.place()
        await call.ringing
        ending = await call.cancel()
        self.assertEqual((ending.status, call.state), (487, State.ENDED))
        self.assertEqual((await self.bob.calls[0].ended).status, 487)
        self.assertEqual(len(requests(self.bob, "CANCEL")), 1)
        await self.assertFailure(call.answered, Refused)

    async def test_cancel_waits(self) -> None:
        """CANCEL is not sent before the first 1xx (RFC 3261 §9.1)."""
        call = self.place()
        ended = call.hang_up()
        self.assertEqual(
            [message.method for message in self.alice.sent if isinstance(message, Request)], ["INVITE"]
        )
        self.assertEqual((await ended).status, 487)

    async def test_callee_gives_up(self) -> None:
        """Hanging up a call that rings refuses it, and nothing can be done with it after."""
        call = self.place()
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
        call, callee = await self.up()
        body = call.media.offer().replace(b"RTP/AVP 0", b"RTP/AVP 9")
        request = call.dialog.request(
            "INVITE", [self.alice.line.contact_header, ("Content-Type", "application/sdp")], body
        )
        self.assertEqual((await self.alice.line.transact(request)).status, 488)
        self.assertEqual(callee.state, State.UP)

    async def test_video_refused(self) -> None:
        """Lines that the phone cannot do are answered with port 0, in their place."""
        _, callee = await self.up()
        media = callee.media
        audio = media.offer()
        offer = audio.replace(b"m=audio", b"m=video 5000 RTP/AVP 31\r\nm=audio")
        answer = SDP.parse(media.take_offer(offer))
        self.assertEqual(
            [(line.kind, line.port) for line in answer.media], [("video", 0), ("audio", media.address.port)]
        )

    async def test_update(self) -> None:
        """UPDATE changes the session as a re-INVITE does, or nothing without SDP (RFC 3311)."""
        call, callee = await self.up()
        call.media.wanted = "inactive"
        headers = [("Content-Type", "application/sdp")]
        response = await call.request("UPDATE", headers, call.media.offer())
        self.assertEqual(
            (SDP.parse(response.body).media[0].direction, callee.media.direction), ("inactive", "inactive")
        )
        self.assertEqual((await call.request("UPDATE")).body, b"")

    async def test_second_phone_answers(self) -> None:
        """The 2xx of a second phone is acknowledged, and that call ended (RFC 3261 §13.2.2.4)."""
        call, callee = await self.up()
        second = response_to(callee.invite, 200, to_tag="second")
        second.set("Contact", *self.bob.line.contact_header[1:])
        self.bob.line.sockets.channel(self.bob.traffic[0].remote).send(second)
        await self.bob.until(lambda: bool(requests(self.bob, "BYE")))
        self.assertEqual(requests(self.bob, "BYE")[0].to.tag, "second")
        self.assertEqual([ack.to.tag for ack in requests(self.bob, "ACK")][-1], "second")
        self.assertEqual(call.state, State.UP)

    async def test_cancel_meets_answer(self) -> None:
        """A call that is given up while it is answered ends all the same."""
        self.bob.answering = AT_ONCE
        await self.place().hang_up()
        await self.bob.calls[0].ended


class TCPCallTests(CallTests):
    """The same over TCP."""

    transport = "tcp"
