"""Whole nodes: a person with two devices is called and written to, and uses either."""

from __future__ import annotations

from p2pship.identity.statement import read_statement
from p2pship.testing.phonecall import State
from tests.node.calling import ALICE, BOB, refusal, requests
from tests.node.twodevices import TwoDevicesCase

ELSEWHERE = "Call completed elsewhere"
"What the phones that did not answer are told (RFC 3326 §3.1)."


class TwoDevicesTests(TwoDevicesCase):
    """Bob is called at home and on his laptop."""

    async def test_all_ring(self) -> None:
        """A call rings on both; the first answer ends the ringing on the other, which hears that it was answered elsewhere."""
        alice, home, laptop = await self.bobs()
        call = alice.call(f"sip:{BOB}")
        at_home, on_laptop = await self.rung(home, laptop)
        await on_laptop.answer()
        await call.answered
        await self.talk(call, on_laptop)
        self.assertEqual((await at_home.ended).status, 487)
        (cancel,) = requests(home, "CANCEL")
        self.assertIn(ELSEWHERE, str(cancel.first("Reason")))
        self.assertEqual(requests(laptop, "CANCEL"), [])
        await on_laptop.hang_up()
        await call.ended

    async def test_linked_while_connected(self) -> None:
        """A device that Bob links while Alice has a link to his first one rings with the next call already."""
        alice, home = await self.phone(ALICE), await self.phone(BOB)
        call, answered = await self.up(alice, home)
        await self.talk(call, answered)
        await call.hang_up()
        await answered.ended
        home.calls.clear()
        self.link()
        (peer,) = self.node("alice").overlay.peers()
        await self.eventually(lambda: peer.newer is not None)
        laptop = await self.phone(BOB, node="laptop")
        call = alice.call(f"sip:{BOB}")
        _, on_laptop = await self.rung(home, laptop)
        await on_laptop.answer()
        await call.answered
        await call.hang_up()

    async def test_given_up(self) -> None:
        """A caller who gives up ends the ringing on both, and neither hears that it was answered elsewhere."""
        alice, home, laptop = await self.bobs()
        call = alice.call(f"sip:{BOB}")
        both = await self.rung(home, laptop)
        call.hang_up()
        for rung in both:
            self.assertEqual((await rung.ended).status, 487)
        for phone in (home, laptop):
            self.assertNotIn(ELSEWHERE, str(requests(phone, "CANCEL")[0].first("Reason")))

    async def test_busy_on_one(self) -> None:
        """A device that is busy does not keep the other from ringing, and from being answered."""
        alice, home, laptop = await self.bobs()
        call = alice.call(f"sip:{BOB}")
        at_home, on_laptop = await self.rung(home, laptop)
        at_home.reject(486)
        await at_home.ended
        self.assertEqual(on_laptop.state, State.RINGING)
        await on_laptop.answer()
        await call.answered
        await self.talk(call, on_laptop)

    async def test_busy_on_all(self) -> None:
        """Only when all have refused does the caller hear it."""
        alice, home, laptop = await self.bobs()
        call = alice.call(f"sip:{BOB}")
        for rung in await self.rung(home, laptop):
            rung.reject(486)
        self.assertEqual((await refusal(call)).status, 486)

    async def test_messages(self) -> None:
        """A message reaches both devices."""
        alice, home, laptop = await self.bobs()
        self.assertEqual((await alice.message(f"sip:{BOB}", "dinner")).status, 200)
        await self.eventually(lambda: bool(home.texts and laptop.texts))
        self.assertEqual([len(phone.texts) for phone in (home, laptop)], [1, 1])

    async def test_either_calls(self) -> None:
        """A call from either device is Bob's."""
        alice, home, laptop = await self.bobs()
        for phone in (home, laptop):
            call, answered = await self.up(phone, alice)
            await self.talk(call, answered)
            self.assertIn(BOB, str(requests(alice, "INVITE")[-1].first("From")))
            await call.hang_up()
            await answered.ended

    async def test_one_is_off(self) -> None:
        """A device that is off does not keep the other from being called."""
        alice, home, laptop = await self.bobs()
        await self.nodes.stop_one("bob")
        call, answered = await self.up(alice, laptop, uri=f"sip:{BOB}")
        await self.talk(call, answered)
        self.assertEqual(home.calls, [])

    async def test_statement(self) -> None:
        """Both show the same statement, which lists both."""
        await self.bobs()
        statements = [self.node(name).keyring.identity(BOB) for name in ("bob", "laptop")]
        raws = {one.statement for one in statements if one is not None}
        self.assertEqual([len(read_statement(raw).devices) for raw in raws], [2])
