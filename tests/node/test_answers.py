"""Tests of what people do with a call: refuse it, let it ring, and answer it at one of several phones."""

from __future__ import annotations

from twisted.internet.defer import DeferredList, gatherResults

from p2pship.journal import CallFailed
from p2pship.sip import fork
from p2pship.testing.phone import AT_ONCE, BUSY, DECLINE, IncomingCall, Phone
from p2pship.testing.phonecall import State
from tests.node.calling import BOB, NodeTestCase, called, heard_more, refusal, requests


class RefusalTests(NodeTestCase):
    """Calls that nobody takes."""

    async def test_busy(self) -> None:
        """The caller hears that the line is busy."""
        alice, bob = await self.two_phones(BUSY)
        self.assertEqual((await refusal(alice.call(bob.aor))).status, 486)

    async def test_declined(self) -> None:
        """The caller hears that the call is not wanted, and the journal of its node says so."""
        alice, bob = await self.two_phones(DECLINE)
        self.assertEqual((await refusal(alice.call(bob.aor))).status, 603)
        self.assertEqual([fact.status for fact in self.told("alice", CallFailed)], [603])

    async def test_nobody_answers(self) -> None:
        """A call that rings for too long ends. Timer C is made shorter for this: it is more than three minutes."""
        self.patch(fork, "TIMER_C", 0.6)
        alice, bob = await self.two_phones()
        call, rung = await self.ringing(alice, bob)
        self.assertEqual((await refusal(call)).status, 408)
        self.assertEqual((await rung.ended).status, 487)


class SeveralPhonesTests(NodeTestCase):
    """One person with two phones."""

    async def _rings(self, *phones: Phone) -> list[IncomingCall]:
        """Return the calls of phones that all ring."""
        for phone in phones:
            await called(phone)
        calls = [call for phone in phones for call in phone.calls if isinstance(call, IncomingCall)]
        await gatherResults([call.ringing for call in calls])
        return calls

    async def test_one_answers(self) -> None:
        """Both ring; when one answers, the other stops, and the two talk."""
        alice, bob = await self.two_phones()
        other = await self.phone(BOB)
        call = alice.call(bob.aor)
        first, second = await self._rings(bob, other)
        await gatherResults([second.answer(), call.answered])
        self.assertEqual((await first.ended).status, 487)
        self.assertEqual(len(requests(bob, "CANCEL")), 1)
        await self.talk(call, second)

    async def test_caller_gives_up(self) -> None:
        """Both stop when the caller gives up."""
        alice, bob = await self.two_phones()
        other = await self.phone(BOB)
        call = alice.call(bob.aor)
        rung = await self._rings(bob, other)
        await call.cancel()
        self.assertEqual(
            [ending.status for ending in await gatherResults([each.ended for each in rung])], [487, 487]
        )

    async def test_one_is_busy(self) -> None:
        """That one phone is busy does not end the call; that it is declined at one does."""
        alice, bob = await self.two_phones(BUSY)
        other = await self.phone(BOB)
        call = alice.call(bob.aor)
        (rung,) = await self._rings(other)
        await call.ringing
        self.assertEqual(bob.calls[0].state, State.ENDED)
        rung.reject(603)
        self.assertEqual((await refusal(call)).status, 603)

    async def test_declined_at_one(self) -> None:
        """A 6xx of one phone ends the call at the other."""
        alice, bob = await self.two_phones()
        other = await self.phone(BOB)
        call = alice.call(bob.aor)
        first, second = await self._rings(bob, other)
        first.reject(603)
        self.assertEqual((await refusal(call)).status, 603)
        self.assertEqual((await second.ended).status, 487)

    async def test_both_answer(self) -> None:
        """When both answer at the same moment one of them is hung up, and the other can talk."""
        alice, bob = await self.two_phones()
        other = await self.phone(BOB)
        call = alice.call(bob.aor)
        rung = await self._rings(bob, other)
        answers = DeferredList([each.answer() for each in rung], consumeErrors=True)
        await call.answered
        await self.eventually(lambda: sorted(each.state.value for each in rung) == ["ended", "up"])
        (up,) = [each for each in rung if each.state is State.UP]
        self.assertEqual(up.dialog.local.tag, call.dialog.remote.tag)
        await self.talk(call, up)
        await answers

    async def test_preferred_phone(self) -> None:
        """A phone with a lower q rings when those before it have failed (RFC 3261 §16.6)."""
        alice, bob = await self.two_phones()
        other = await self.phone(BOB)
        await other.request("REGISTER", other.aor, [("Contact", f"<{other.line.contact}>;q=0.5")])
        call = alice.call(bob.aor)
        (first,) = await self._rings(bob)
        self.assertEqual(other.calls, [])
        first.reject(486)
        (second,) = await self._rings(other)
        await gatherResults([second.answer(), call.answered])
        await self.talk(call, second)

    async def test_answered_at_once(self) -> None:
        """A second phone that has just been called is not left ringing when the first answers at once."""
        alice, bob = await self.two_phones(AT_ONCE)
        other = await self.phone(BOB)
        call = alice.call(bob.aor)
        await call.answered
        await self.eventually(lambda: [each.state for each in other.calls] == [State.ENDED])
        await heard_more(call)
