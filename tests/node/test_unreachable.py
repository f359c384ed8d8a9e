"""Tests of people who cannot be reached: the right code, soon, and the reason in the journal."""

from __future__ import annotations

from twisted.internet import reactor

from p2pship.errors import RemoteError
from p2pship.journal import CallFailed
from p2pship.lookup.candidate import Answer
from p2pship.sip.legs import LINK_PATIENCE, PHONE_PATIENCE, LegToPeer, LegToPhone
from p2pship.testing.lookup import MemoryLookupDown
from p2pship.testing.phone import IGNORE, Phone
from tests.node.calling import ALICE, BOB, NodeTestCase, refusal

SOON = 7.0
"Seconds: the 5 that a caller waits at the most, dial included, and something for a busy machine."


def _tenth(patience: float) -> float:
    """Return a tenth of what a caller waits for a sign of life: one test with the true time is enough."""
    assert patience < 5
    return patience / 10


class UnreachableTests(NodeTestCase):
    """Calls to people whom nobody can reach."""

    async def _refused(self, caller: Phone, uri: str, status: int, *words: str) -> None:
        """Look that a call is refused soon, and why."""
        began = reactor.seconds()
        self.assertEqual((await refusal(caller.call(uri))).status, status)
        self.assertLess(reactor.seconds() - began, SOON)
        fact = self.told("alice", CallFailed)[-1]
        self.assertEqual((fact.caller, fact.status), (ALICE, status))
        for word in words:
            self.assertIn(word, fact.reason)

    async def test_unknown(self) -> None:
        """Nobody knows the name: 404, and the lookups that were asked are named."""
        alice = await self.phone(ALICE)
        await self._refused(alice, "sip:nobody@example.com", 404, "memory completed")

    async def test_no_name(self) -> None:
        """An address that names nobody at all is 404 too."""
        alice = await self.phone(ALICE)
        self.assertEqual((await refusal(alice.call("sip:example.com"))).status, 404)

    async def test_lookup_fails(self) -> None:
        """Where nobody could be asked nothing is known about the name: 500."""
        alice = await self.phone(ALICE)
        self.nodes.lookups["alice"].failure = MemoryLookupDown()
        await self._refused(alice, f"sip:{BOB}", 500, "memory failed", "told to fail")

    async def test_never_met_and_stopped(self) -> None:
        """A node that stopped has taken back its record: somebody never met is not found."""
        alice, bob = await self.two_phones()
        await self.nodes.stop_one("bob")
        await self._refused(alice, bob.aor, 404)

    async def test_met_and_stopped(self) -> None:
        """Somebody met before is known, though not to be found now, and the address that was kept leads nowhere."""
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        await self.nodes.stop_one("bob")
        await self._refused(alice, bob.aor, 480, "nobody listens there")
        await self._refused(alice, bob.aor, 480, "known, but not found now")

    async def test_vanished(self) -> None:
        """A node that vanished is still published: it is dialled in vain."""
        alice, bob = await self.two_phones()
        self.nodes.kill("bob")
        await self._refused(alice, bob.aor, 480)
        self.assertEqual(bob.calls, [])

    async def test_vanished_from_a_link(self) -> None:
        """A node that vanished from a link that is up says nothing to a call, which ends in less than 5 s (here: 0.5)."""
        self.patch(LegToPeer, "patience", _tenth(LINK_PATIENCE))
        alice, bob = await self.two_phones()
        await self.have_talked(alice, bob)
        self.nodes.kill("bob")
        await self._refused(alice, bob.aor, 480, "does not answer")
        self.assertEqual(len(bob.calls), 1)

    async def test_crashed(self) -> None:
        """A node whose process was killed is published at an address where nobody listens."""
        alice, bob = await self.two_phones()
        await self.nodes.crash("bob")
        await self._refused(alice, bob.aor, 480, "nobody listens there")

    async def test_phone_is_off(self) -> None:
        """A phone that is registered and switched off is noticed by the node beside it, soon enough for the caller's."""
        self.patch(LegToPhone, "patience", _tenth(PHONE_PATIENCE))
        self.assertLess(PHONE_PATIENCE, LINK_PATIENCE)
        alice, bob = await self.two_phones()
        await bob.stop()
        await self._refused(alice, bob.aor, 480)

    async def test_phone_says_nothing_but_100(self) -> None:
        """A phone that lives and takes its time is waited for."""
        alice, bob = await self.two_phones(IGNORE)
        call = alice.call(bob.aor)
        await bob.until(lambda: bool(bob.calls))
        self.assertEqual([response.status for response in call.responses], [100])
        self.assertEqual((await call.cancel()).status, 487)

    async def test_message(self) -> None:
        """A MESSAGE to somebody unknown, and to somebody without a phone, has the same codes as a call."""
        alice, bob = await self.two_phones()
        self.assertEqual((await alice.message("sip:nobody@example.com", "hi")).status, 404)
        await bob.unregister()
        self.assertEqual((await alice.message(bob.aor, "hi")).status, 480)

    async def test_doctor(self) -> None:
        """The command that looks what is well says so of a node that works, and of a lookup that takes nothing."""
        await self.two_phones()
        self.assertEqual(
            [one["words"] for one in self.node("alice").standing.checkup() if not one["well"]], []
        )
        self.nodes.lookups["alice"].failure = RemoteError("the disk is full")
        await self.phone("dora@example.com", node="alice")
        (ill,) = [one for one in self.node("alice").standing.checkup() if not one["well"]]
        self.assertEqual((ill["subject"], ill["words"]), ("lookup memory", "the disk is full"))

    async def test_find(self) -> None:
        """The command that looks for a person says what was asked and found."""
        await self.two_phones()
        found = await self.node("alice").standing.find({"aor": BOB})
        self.assertEqual([device["lookup"] for device in found["devices"]], ["memory"])
        nobody = await self.node("alice").standing.find({"aor": "nobody@example.com"})
        self.assertEqual((nobody["devices"], nobody["asked"][0]["answer"]), ([], Answer.COMPLETED.value))
