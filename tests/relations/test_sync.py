"""Tests of devices of one person that are to have the same ledger."""

from __future__ import annotations

from random import Random
from typing import Any

from zope.interface.verify import verifyObject

from p2pship.errors import PayloadRefused
from p2pship.identity.cbor import encode
from p2pship.interfaces import ISubprotocol
from p2pship.relations.devicefacts import DeviceInStep
from p2pship.relations.sync import NAME
from p2pship.relations.syncwire import Entries, write
from p2pship.trust.entry import STAMP_OCTETS, Entry
from tests.overlay.nodes import ALICE, BOB
from tests.relations.devices import Device, DevicesCase
from tests.scale import SEED, scaled

CAROL, DAVE = "carol@example.com", "dave@example.com"


class SyncTests(DevicesCase):
    """Two devices and more."""

    def test_interface(self) -> None:
        """It is what it says."""
        verifyObject(ISubprotocol, self.device(BOB).sync)

    def test_new_device(self) -> None:
        """A new device gets all that the first one has, without anybody calling, and the journal says so."""
        first = self.device(BOB)
        for number in range(700):
            first.ledger.put(BOB, "contact", f"person{number}@example.com", {"name": "x" * 150})
        second = self.another(first, BOB)
        self.clock.pass_time(30)
        self.assertEqual(second.entries(BOB), first.entries(BOB))
        self.assertEqual(sum(fact.taken for fact in second.facts if isinstance(fact, DeviceInStep)), 701)

    def test_push(self) -> None:
        """What changes on either device is on the other within a moment, secrets too."""
        _, first, second = self.alice_and_bobs()
        first.ledger.put(BOB, "contact", CAROL, {"name": "Carol"})
        second.ledger.put(BOB, "pair", DAVE, {"1": bytes(32)})
        self.clock.pass_time(0.2)
        for device in (first, second):
            self.assertEqual(device.ledger.get(BOB, "contact", CAROL), {"name": "Carol"})
            self.assertEqual(device.ledger.get(BOB, "pair", DAVE), {"1": bytes(32)})
        first.ledger.remove(BOB, "contact", CAROL)
        self.clock.pass_time(0.2)
        self.assertIsNone(second.ledger.get(BOB, "contact", CAROL))

    def test_partition_and_merge(self) -> None:
        """Three devices that were changed apart, against each other too, have the same when they are joined."""
        _, first, second = self.alice_and_bobs()
        third = self.another(first, BOB)
        self.clock.pass_time(300)
        devices = first, second, third
        first.ledger.put(BOB, "contact", "before@example.com", {"name": "before"})
        self.clock.pass_time(1)
        self.apart(*devices)
        random = Random(SEED)
        for number in range(scaled(90, 3_000)):
            self._change(random.choice(devices), random, number)
            self.clock.pass_time(random.random() / 100)
        first.ledger.remove(BOB, "contact", "before@example.com")
        self.clock.pass_time(1)
        second.ledger.put(BOB, "contact", "before@example.com", {"name": "after"})
        self.assertNotEqual(first.entries(BOB), second.entries(BOB))
        self.joined()
        self.assertEqual(first.entries(BOB), second.entries(BOB))
        self.assertEqual(first.entries(BOB), third.entries(BOB))
        self.assertEqual(third.ledger.get(BOB, "contact", "before@example.com"), {"name": "after"})

    def _change(self, device: Device, random: Random, number: int) -> None:
        """Add, alter or remove something that other devices may add, alter or remove, too."""
        kind = random.choice(("contact", "pin", "block", "pair", "revoked"))
        name = f"person{random.randrange(12)}@example.com"
        if kind == "revoked" or random.random() < 0.7:
            device.ledger.put(BOB, kind, name, {"n": number})
        else:
            device.ledger.remove(BOB, kind, name)

    def test_other_ledgers(self) -> None:
        """Only the ledger of the identity that both have is shared; a friend gets none of it and may ask nothing."""
        alice, first, second = self.alice_and_bobs()
        first.keyring.create(CAROL)
        first.ledger.put(CAROL, "contact", DAVE, {"name": "Dave"})
        peer = alice.reach(BOB)
        self.clock.pass_time(600)
        self.assertEqual((second.entries(CAROL), alice.entries(BOB), alice.entries(ALICE)), ({}, {}, {}))
        evil = Entry("pin", ALICE, bytes(STAMP_OCTETS), encode({"key": b"evil"}))
        (refused,) = self._sent(peer, write(Entries((evil,))))
        self.assertIsInstance(refused, PayloadRefused)
        self.assertEqual((first.entries(BOB), second.entries(BOB)), ({}, {}))

    def _sent(self, peer: Any, payload: bytes) -> list[Any]:
        results = self.watch(peer.send(NAME, payload))
        self.clock.pass_time(1)
        return results

    def test_garbage(self) -> None:
        """Garbage of an own device is refused, and changes nothing."""
        _, first, second = self.alice_and_bobs()
        peer = second.peer(BOB)
        for payload in (b"", b"\x84", write(Entries((Entry("", "x", bytes(18), None),)))):
            (refused,) = self._sent(peer, payload)
            self.assertIsInstance(refused, PayloadRefused)
        self.assertEqual(first.entries(BOB), {})

    def test_flood(self) -> None:
        """A device that asks without end is refused in the end, and may ask again a minute later."""
        _, _first, second = self.alice_and_bobs()
        peer, empty = second.peer(BOB), write(Entries(()))
        results = [self.watch(peer.send(NAME, empty)) for _ in range(900)]
        self.clock.pass_time(1)
        results += [self.watch(peer.send(NAME, empty)) for _ in range(900)]
        self.clock.pass_time(1)
        results += [self.watch(peer.send(NAME, empty)) for _ in range(900)]
        self.clock.pass_time(1)
        self.assertTrue(any(isinstance(result, PayloadRefused) for (result,) in results))
        self.clock.pass_time(60)
        self.assertEqual(self._sent(peer, empty), [b""])

    def test_revoked(self) -> None:
        """A device that was revoked gets nothing of what changes from then on, and what it sends is not taken."""
        _, first, second = self.alice_and_bobs()
        peer = second.peer(BOB)
        first.keyring.revoke_device(BOB, second.digest)
        first.ledger.put(BOB, "contact", CAROL, {"name": "Carol"})
        evil = Entry("pin", ALICE, bytes(STAMP_OCTETS), encode({"key": b"evil"}))
        self._sent(peer, write(Entries((evil,))))
        self.clock.pass_time(600)
        self.assertEqual(second.entries(BOB), {})
        self.assertEqual(set(first.entries(BOB)), {("contact", CAROL)})
