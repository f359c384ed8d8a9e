"""Tests of what happens within a call: hold and resume, changes that are refused, and digits."""

from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults

from p2pship.sip.message import Request, Response, response_to
from p2pship.sip.sdp import SDP, MediaLine
from p2pship.testing.phone import Call, IncomingCall, OutgoingCall, Phone, Refused
from tests.node.calling import NodeTestCase, error_of, heard_more, requests


class ChangeTests(NodeTestCase):
    """A call that is up, and changes."""

    async def _up(self) -> tuple[Phone, Phone, OutgoingCall, IncomingCall]:
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        return alice, bob, call, answered

    async def _silent(self, call: Call) -> None:
        """Look that this end hears nothing while it says ten packets, once what was under way has come."""
        await sent_more(call, 3)
        before = len(call.media.packets)
        await sent_more(call, 10)
        self.assertEqual(len(call.media.packets), before)

    async def test_hold_and_resume(self) -> None:
        """One puts the other on hold and takes it back; then the other does the same."""
        _, _, call, answered = await self._up()
        for holder, held in ((call, answered), (answered, call)):
            await holder.hold()
            self.assertEqual((holder.media.direction, held.media.direction), ("sendonly", "recvonly"))
            await self._silent(holder)
            await heard_more(held)
            await holder.resume()
            self.assertEqual((holder.media.direction, held.media.direction), ("sendrecv", "sendrecv"))
            await self.talk(holder, held)

    async def test_hold_by_inactive(self) -> None:
        """Nobody hears anything while a call is inactive."""
        _, _, call, answered = await self._up()
        call.media.wanted = "inactive"
        await call.reinvite()
        self.assertEqual((call.media.direction, answered.media.direction), ("inactive", "inactive"))
        before = len(call.media.packets), len(answered.media.packets)
        await call.resume()
        await self.talk(call, answered)
        self.assertGreaterEqual(len(call.media.packets) - before[0], 5)

    async def test_hold_by_address(self) -> None:
        """A phone of RFC 2543 says 0.0.0.0 when it holds (RFC 3264 §8.4): the other side hears so, and sends nothing."""
        _, bob, call, answered = await self._up()
        port = _audio(requests(bob, "INVITE")[0]).port
        await call.hold(by_address=True)
        held = _audio(requests(bob, "INVITE")[-1])
        self.assertEqual((str(held.rtp), held.port), ("None", port))
        await self._silent(call)
        await call.resume()
        self.assertEqual(_audio(requests(bob, "INVITE")[-1]).port, port)
        await self.talk(call, answered)

    async def test_refused_change(self) -> None:
        """A re-INVITE that is refused leaves the media as it was."""
        _, _, call, answered = await self._up()
        answered.on_request = _refuse_offers
        call.media.wanted = "inactive"
        error = await error_of(call.reinvite(), Refused)
        self.assertEqual(error.status, 488)
        await self.talk(call, answered)
        answered.on_request = lambda request: None
        await call.hold()
        await self._silent(call)

    async def test_both_change_at_once(self) -> None:
        """Two re-INVITEs that cross are both refused with 491, and the call goes on (RFC 3261 §14.1)."""
        _, _, call, answered = await self._up()
        self.nodes.links.latency = 0.05
        crossing = [Deferred.fromCoroutine(error_of(each.reinvite(), Refused)) for each in (call, answered)]
        self.assertEqual([error.status for error in await gatherResults(crossing)], [491, 491])
        self.nodes.links.latency = 0.0
        await self.talk(call, answered)

    async def test_call_without_offer(self) -> None:
        """An INVITE without an offer is answered with one, and the ACK brings the answer."""
        alice, bob = await self.two_phones()
        call = alice.call(bob.aor, offer=False)
        await bob.until(lambda: bool(bob.calls))
        (rung,) = bob.calls
        assert isinstance(rung, IncomingCall)
        await rung.answer()
        await call.answered
        await self.talk(call, rung)

    async def test_early_media(self) -> None:
        """What a phone says before it answers is heard by the caller."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        rung.ring(early_media=True)
        await heard_more(call)
        await rung.answer()
        await self.talk(call, rung)

    async def test_digits_in_media(self) -> None:
        """Digits pass as telephone events (RFC 4733), both ways."""
        _, _, call, answered = await self._up()
        await call.send_dtmf("159#")
        await answered.send_dtmf("*2")
        await answered.media.until(lambda: answered.media.digits == "159#")
        await call.media.until(lambda: call.media.digits == "*2")

    async def test_digits_by_info(self) -> None:
        """Digits pass as INFO, body and type as they were, both ways."""
        _, _, call, answered = await self._up()
        body = "Signal=5\r\nDuration=160\r\n"
        for sender, receiver in ((call, answered), (answered, call)):
            self.assertEqual((await sender.send_info(body)).status, 200)
            (info,) = receiver.infos
            self.assertEqual(
                (info.body, info.first("Content-Type")), (body.encode(), "application/dtmf-relay")
            )


def sent_more(call: Call, packets: int) -> Deferred[None]:
    """Wait until this end has sent so many more packets."""
    wanted = call.media.sent + packets
    return call.media.until(lambda: call.media.sent >= wanted)


def _audio(invite: Request) -> MediaLine:
    return SDP.parse(invite.body).media[0]


def _refuse_offers(request: Request) -> Response | None:
    return response_to(request, 488) if request.method == "INVITE" else None
