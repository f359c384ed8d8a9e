"""Real calls: two baresip phones, each with a node of its own, both nodes processes on loopback."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from p2pship.testing.baresip import Baresip
from p2pship.testing.baresipcontrol import Text
from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.phone import AT_ONCE, BUSY, DECLINE, Answering, Phone
from tests.interop.pair import PairCase

TRIES = 5
"Seconds in which what a phone was told to do must show; nearly always it does in the first."

FLOWING = 20
"Packets that arrive in a second of talk, and in none of silence: there are 50."


class CallTests(PairCase):
    """Calls from ringing to the end."""

    async def check_call(self, alice: Baresip, bob: Baresip, seconds: int = 4) -> None:
        """Let Alice call Bob, and compare what each has heard with what the other has said."""
        await self.call(alice, bob)
        await self.talk(seconds + 0.5)
        (call,) = await self.alices.calls()
        self.assertEqual((call["caller"], call["callee"], call["state"]), (aor(alice), aor(bob), "up"))
        self.assertTrue(call["encrypted"])
        await alice.hangup()
        await bob.when("CALL_CLOSED")
        await self.check_heard(alice, bob, seconds - 1)
        await self.check_heard(bob, alice, seconds - 1)
        await self.check_nothing_left()

    async def test_audio(self) -> None:
        """Each hears what the other says, and when the caller has hung up both nodes have forgotten the call."""
        alice, bob = await self.phones()
        await self.check_call(alice, bob)

    async def test_tcp(self) -> None:
        """Phones that register over TCP call each other too."""
        alice, bob = await self.phones(transport="tcp")
        await self.check_call(alice, bob, 2)
        for phone in (alice, bob):
            self.assertIn("\nTCP 127.0.0.1", phone.log())
            self.assertNotIn("\nUDP 127.0.0.1", phone.log())

    async def test_callee_hangs_up(self) -> None:
        """The callee can end the call too, and call back at once."""
        alice, bob = await self.phones()
        await self.call(alice, bob)
        await bob.hangup()
        await alice.when("CALL_CLOSED")
        await self.check_nothing_left()
        await self.call(bob, alice)
        await bob.hangup()
        await alice.when("CALL_CLOSED")
        await self.check_nothing_left()

    async def test_hold(self) -> None:
        """Either side holds the call, nothing is heard meanwhile, and both hear each other again when it is resumed."""
        alice, bob = await self.phones()
        await self.call(alice, bob)
        for holder in (alice, bob):
            await holder.hold()
            await self.check_received(alice, bob, flowing=False)
            await holder.resume()
            await self.check_received(alice, bob, flowing=True)
        await alice.hangup()
        await bob.when("CALL_CLOSED")
        await self.check_nothing_left()

    async def check_received(self, *phones: Baresip, flowing: bool) -> None:
        """Check whether phones receive packets, at the latest when the nodes have had time to pass the news on."""
        for _ in range(TRIES):
            before = await gatherResults([phone.packets() for phone in phones])
            await self.talk(1)
            after = await gatherResults([phone.packets() for phone in phones])
            received = [later - earlier for (_, earlier), (_, later) in zip(before, after, strict=True)]
            if all((number > FLOWING) == flowing for number in received):
                return
        self.fail(f"{received} packets in a second")

    async def test_keys(self) -> None:
        """Each key that is pressed arrives at the other side, in order, as telephone events (RFC 4733)."""
        alice, bob = await self.phones()
        await self.call(alice, bob)
        for presser, other, keys in ((alice, bob, "15#"), (bob, alice, "*0")):
            await presser.dtmf(keys)
            pressed = [(await other.when("CALL_DTMF_START")).param for _ in keys]
            self.assertEqual("".join(pressed), keys)

    async def test_rejected(self) -> None:
        """A callee who hangs up instead of answering is busy (486), and the caller is told so."""
        alice, bob = await self.phones()
        await alice.dial(bob.uri)
        await bob.when("CALL_INCOMING")
        await bob.hangup()
        self.assertIn("486", (await alice.when("CALL_CLOSED")).param)
        await self.check_nothing_left()

    async def test_given_up(self) -> None:
        """A caller who hangs up before the answer stops the ringing (CANCEL), and gets 487."""
        alice, bob = await self.phones()
        await alice.dial(bob.uri)
        await bob.when("CALL_INCOMING")
        await alice.when("CALL_RINGING")
        await alice.hangup()
        await bob.when("CALL_CLOSED")
        await self.until_logged(alice, "SIP/2.0 487")
        await self.check_nothing_left()

    async def test_nobody(self) -> None:
        """A name that nobody has registered anywhere is not found (404)."""
        alice, _ = await self.phones()
        await alice.dial("sip:nobody@example.com")
        self.assertIn("404", (await alice.when("CALL_CLOSED")).param)

    async def test_messages(self) -> None:
        """A text arrives as it was written, with its sender, both ways."""
        people = ("alice@example.com", "bob@example.com")
        alice, bob = await self.phones(contacts=people)
        for sender, receiver in ((alice, bob), (bob, alice)):
            words = f'Is {aor(receiver)} "there"? Zoë asks.'
            await sender.message(aor(receiver), words)
            self.assertEqual(await receiver.when_text(), Text(aor(sender), words))


class OtherPhoneTests(PairCase):
    """baresip at one node, and at the other a phone that does what baresip cannot."""

    async def other(self, name: str, node: NodeProcess, answering: Answering) -> Phone:
        """Register another phone, which is stopped with the test."""
        phone = Phone(reactor, f"{name}@example.com", proxy=node.proxy, answering=answering)
        self.addCleanup(phone.stop)
        phone.start()
        await phone.register()
        return phone

    async def refused(self, answering: Answering) -> str:
        """Return what baresip's user is told when the callee refuses."""
        alice = self.phone("alice", self.alices)
        await alice.start()
        await self.other("bob", self.bobs, answering)
        await alice.dial("sip:bob@example.com")
        told = (await alice.when("CALL_CLOSED")).param
        await self.check_nothing_left()
        return told

    async def test_busy(self) -> None:
        """A busy callee is busy to the caller."""
        self.assertIn("486", await self.refused(BUSY))

    async def test_declined(self) -> None:
        """A callee who declines declines to the caller (603)."""
        self.assertIn("603", await self.refused(DECLINE))

    async def test_keys_in_info(self) -> None:
        """A key pressed as an INFO arrives at baresip, and its answer at the sender (RFC 6086)."""
        alice = await self.other("alice", self.alices, AT_ONCE)
        bob = self.phone("bob", self.bobs, answer="auto")
        await bob.start()
        call = alice.call(bob.uri)
        await call.answered
        answer: Any = await call.send_info("Signal=5\r\nDuration=160\r\n")
        self.assertEqual(answer.status, 200)
        self.assertEqual((await bob.when("CALL_DTMF_START")).param, "5")
        await call.hang_up()
        await bob.when("CALL_CLOSED")
        await self.check_nothing_left()


def aor(phone: Baresip) -> str:
    """Return the name of a phone's person."""
    return phone.uri.removeprefix("sip:")
