"""Tests of early dialogs: several phones that answer one call, and what each of them hears and says before the 2xx."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, gatherResults

from p2pship.sip.message import Response
from p2pship.sip.sdp import SDP, MediaLine
from p2pship.testing.phone import IncomingCall, OutgoingCall, Phone
from p2pship.testing.rtp import RTPStream
from tests.node.calling import BOB, NodeTestCase, called, heard_more, requests


def shown(response: Response, line: int = 0) -> MediaLine:
    """Return a media line that a response shows."""
    return SDP.parse(response.body).media[line]


def early(call: OutgoingCall) -> dict[str, MediaLine]:
    """Return where each early dialog of a call wants audio, by its To tag."""
    return {each.to.tag or "": shown(each) for each in call.responses if each.status == 183}


async def streams_heard(*streams: RTPStream) -> None:
    """Wait until each of these streams has heard five more packets."""
    await gatherResults([_more(stream, len(stream.packets) + 5) for stream in streams])


def _more(stream: RTPStream, wanted: int) -> Deferred[None]:
    return stream.until(lambda: len(stream.packets) >= wanted)


class EarlyCase(NodeTestCase):
    """Alice calls."""

    async def aims_at(
        self, call: OutgoingCall, line: MediaLine, hears: RTPStream, *silent: RTPStream
    ) -> None:
        """Let the caller send to one early dialog, and check that its phone alone hears that."""
        call.media.aim(line.rtp, line.rtcp)
        await streams_heard(hears)
        before = [len(stream.packets) for stream in silent]
        await streams_heard(hears)
        self.assertEqual([len(stream.packets) for stream in silent], before)

    async def relays_become(self, **wanted: int) -> None:
        """Wait until each of these nodes has so many relays."""
        await self.eventually(
            lambda: {name: self.counts(name)["relays"] for name in wanted} == wanted,
            lambda: str({name: self.counts(name)["relays"] for name in wanted}),
        )


class SeveralPhonesTests(EarlyCase):
    """Bob's node forks to two phones."""

    async def test_early_media_of_two(self) -> None:
        """Each phone has ports of its own at the caller, both ways; the loser's relays are gone after the 2xx."""
        alice, bob = await self.two_phones()
        other = await self.phone(BOB)
        call = alice.call(bob.aor)
        rung = await self._rings(bob, other)
        for each in rung:
            each.ring(early_media=True)
        await alice.until(lambda: len(early(call)) == 2)
        dialogs = early(call)
        first, second = (dialogs[each.dialog.local.tag or ""] for each in rung)
        self.assertNotEqual(first.port, second.port)
        await self.relays_become(alice=2, bob=2)
        await self.eventually(lambda: len({packet.ssrc for packet in call.media.packets}) == 2)
        await self.aims_at(call, first, rung[0].media, rung[1].media)
        await self.aims_at(call, second, rung[1].media, rung[0].media)
        await gatherResults([rung[1].answer(), call.answered])
        self.assertEqual((await rung[0].ended).status, 487)
        await self.relays_become(alice=1, bob=1)
        self.assertEqual(call.media.remote and call.media.remote.port, second.port)
        await self.talk(call, rung[1])
        await heard_more(call)
        self.assertEqual(call.media.packets[-1].source.port, second.port)

    async def test_ringing_costs_nothing(self) -> None:
        """Phones that only ring take one relay at the caller together, and the one that answers has it."""
        alice, bob = await self.two_phones()
        others = [await self.phone(BOB) for _ in range(2)]
        call = alice.call(bob.aor)
        rung = await self._rings(bob, *others)
        await self.relays_become(alice=1, bob=3)
        await gatherResults([rung[2].answer(), call.answered])
        await self.relays_become(alice=1, bob=1)
        await self.talk(call, rung[2])

    async def _rings(self, *phones: Phone) -> list[IncomingCall]:
        for phone in phones:
            await called(phone)
        calls = [call for phone in phones for call in phone.calls if isinstance(call, IncomingCall)]
        await gatherResults([call.ringing for call in calls])
        return calls


class ForkingProxyTests(EarlyCase):
    """What registers as Bob's phone is a proxy, and several phones behind it answer one INVITE."""

    async def _answers(
        self, tags: Sequence[str]
    ) -> tuple[Phone, OutgoingCall, IncomingCall, list[RTPStream]]:
        """Let Alice call, and phones answer 183 under these To tags; each sends to what the INVITE showed."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        self.offered = SDP.parse(rung.invite.body).media[0]
        phones = [bob.line.open_media() for _ in tags]
        for tag, media in zip(tags, phones, strict=True):
            self.addCleanup(media.close)
            rung.progress(183, media.take_offer(rung.invite.body), tag)
        await alice.until(lambda: len(early(call)) == len(tags))
        return alice, call, rung, list(phones)

    async def test_each_is_heard_alone(self) -> None:
        """All send to one port, and are told apart; the caller speaks to each by a port of its own, and hears both."""
        _, call, rung, (first, second) = await self._answers(("a", "b"))
        dialogs = early(call)
        self.assertNotEqual(dialogs["a"].port, dialogs["b"].port)
        await self.relays_become(alice=2, bob=2)
        await self.aims_at(call, dialogs["a"], first, second)
        await self.aims_at(call, dialogs["b"], second, first)
        await self.eventually(lambda: len({packet.ssrc for packet in call.media.packets}) == 2)
        for stream in (first, second):
            self.assertEqual(stream.packets[-1].source.port, self.offered.port)
        await gatherResults([rung.answer(), call.answered])
        await self.relays_become(alice=1, bob=1)
        await self.talk(call, rung)
        self.assertEqual(rung.media.packets[-1].source.port, self.offered.port)

    async def test_one_after_the_other(self) -> None:
        """A hunt group: one phone gives up with 199 (RFC 6228), and the next has its relay; media flows to it."""
        alice, call, rung, (first,) = await self._answers(("a",))
        await self.aims_at(call, early(call)["a"], first)
        rung.progress(199, tag="a")
        await alice.until(lambda: call.responses[-1].status == 199)
        await self.relays_become(alice=1, bob=1)
        rung.ring(early_media=True)
        await alice.until(lambda: len(early(call)) == 2)
        await self.relays_become(alice=1, bob=1)
        await self.talk(call, rung)
        await gatherResults([rung.answer(), call.answered])
        await self.talk(call, rung)


class ReliableTests(EarlyCase):
    """Reliable provisional responses (RFC 3262), and UPDATE before the answer (RFC 3311)."""

    async def test_prack(self) -> None:
        """RSeq and RAck pass; media flows both ways before the 2xx, which says nothing of it any more."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        rung.ring(early_media=True, reliable=True)
        await self.talk(call, rung)
        (prack,) = requests(bob, "PRACK")
        self.assertEqual(prack.first("RAck"), f"1 {rung.invite.cseq[0]} INVITE")
        await gatherResults([rung.answer(), call.answered])
        self.assertEqual(call.responses[-1].body, b"")
        await self.talk(call, rung)

    async def test_offer_in_reliable_response(self) -> None:
        """A call without an offer gets one in a reliable 183, and the PRACK answers it."""
        alice, bob = await self.two_phones()
        call = alice.call(bob.aor, offer=False)
        await called(bob)
        (rung,) = bob.calls
        assert isinstance(rung, IncomingCall)
        rung.ring(early_media=True, reliable=True)
        await bob.until(lambda: bool(requests(bob, "PRACK")))
        await self.talk(call, rung)
        await gatherResults([rung.answer(), call.answered])
        await self.talk(call, rung)

    async def test_update_before_answer(self) -> None:
        """Either side changes the media before the answer; ports stay, and the 2xx takes nothing back."""
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        rung.ring(early_media=True, reliable=True)
        await self.talk(call, rung)
        before = shown(call.responses[-1]).port
        call.media.wanted = "sendonly"
        await call.update()
        self.assertEqual((call.media.direction, rung.media.direction), ("sendonly", "recvonly"))
        await heard_more(rung)
        call.media.wanted = "sendrecv"
        await rung.update()
        self.assertEqual((call.media.direction, rung.media.direction), ("sendrecv", "sendrecv"))
        self.assertEqual(SDP.parse(requests(alice, "UPDATE")[0].body).media[0].port, before)
        await gatherResults([rung.answer(), call.answered])
        await self.talk(call, rung)


class VideoTests(EarlyCase):
    """Sound and picture."""

    async def test_video(self) -> None:
        """Both lines flow both ways; the picture goes and comes back at its place, and the ports stay."""
        alice, bob = await self.two_phones()
        alice.on_media = bob.on_media = lambda media: media.add_video()
        call, answered = await self.up(alice, bob)
        assert call.media.video is not None and answered.media.video is not None
        both = call.media.video, answered.media.video
        await streams_heard(*both, call.media, answered.media)
        await self.relays_become(alice=2, bob=2)
        port = shown(call.responses[-1], 1).port
        call.media.video_on = False
        await call.reinvite()
        self.assertEqual([line.port for line in SDP.parse(requests(bob, "INVITE")[-1].body).media][1], 0)
        await self.talk(call, answered)
        call.media.video_on = True
        answer = await call.reinvite()
        self.assertEqual(shown(answer, 1).port, port)
        await streams_heard(*both, call.media, answered.media)
        await self.relays_become(alice=2, bob=2)

    async def test_declined_video(self) -> None:
        """A picture that the other phone does not take stays at port 0, and the sound flows."""
        alice, bob = await self.two_phones()
        alice.on_media = lambda media: media.add_video()
        call, answered = await self.up(alice, bob)
        self.assertEqual(shown(call.responses[-1], 1).port, 0)
        await self.talk(call, answered)
