"""Whole nodes: a contact is called without a lookup being asked, and a search can be watched."""

from __future__ import annotations

import json

from p2pship.identity.place import Place, day_of
from p2pship.testing.phone import Phone
from p2pship.trust.pins import BY_CONTACT
from tests.node.calling import ALICE, BOB, NodeTestCase


class ContactTests(NodeTestCase):
    """Bob is Alice's contact."""

    async def kept(self) -> tuple[Phone, Phone]:
        """Have Bob confirmed and found in the background."""
        alice, bob = await self.two_phones()
        node, his = self.node("alice"), self.node("bob").keyring.identity(BOB)
        assert his is not None
        node.desk.trust.pin(ALICE, BOB, his.key, BY_CONTACT)
        node.desk.contacts.add(ALICE, BOB)
        (contact,) = node._keep_fresh._kept.values()
        contact.again(0)
        await self.eventually(lambda: node.finder.expiry(ALICE, BOB) > 0 and contact._search is None)
        return alice, bob

    def asked(self) -> int:
        """Return how often Alice's lookup was asked for Bob."""
        days = day_of(self.node("alice").reactor.seconds()) + 1
        keys = {Place.of_name(BOB).lookup_key(day) for day in (days - 2, days - 1, days)}
        return sum(question.lookup_key in keys for question in self.nodes.lookups["alice"].questions)

    async def test_call(self) -> None:
        """The call is up, and no lookup was asked for it."""
        alice, bob = await self.kept()
        asked = self.asked()
        call, answered = await self.up(alice, bob)
        await self.talk(call, answered)
        self.assertEqual((asked, self.asked()), (1, 1))

    async def test_lookups_dead(self) -> None:
        """It is up as well when no lookup answers any more."""
        alice, bob = await self.kept()
        self.nodes.lookups["alice"].silent = True
        await self.up(alice, bob)

    async def test_elsewhere(self) -> None:
        """A contact who is at another place by now is reached all the same: what is kept leads nowhere, so the lookups are asked."""
        alice, _ = await self.kept()
        asked = self.asked()
        await self.nodes.restart("bob")
        back = await self.phone(BOB)
        key = self.node("bob").keyring.device.publication_key
        await self.eventually(lambda: any(slot.publication_key == key for slot in self.nodes.directory.items))
        call, answered = await self.up(alice, back)
        await self.talk(call, answered)
        self.assertGreater(self.asked(), asked)

    async def test_traced(self) -> None:
        """What ``p2pship find --trace`` prints: each step of the search, as JSON has it."""
        await self.kept()
        found = await self.node("alice").standing.find({"aor": BOB, "trace": True})
        steps = [step["step"] for step in found["trace"]]
        self.assertEqual(steps, ["asked", "answered", "judged", "found", "completed"])
        judged = found["trace"][2]["words"]
        self.assertIn(f"known, contact, key {found['devices'][0]['fingerprint']}", judged)
        self.assertEqual(json.loads(json.dumps(found)), found)
        self.assertEqual((await self.node("alice").standing.find({"aor": BOB}))["trace"], [])
