"""Tests of what is published in another's name, or again: it is refused and counted, and no call goes by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from p2pship.identity.papers import ListedDevice
from p2pship.identity.place import Place, day_of
from p2pship.identity.record import sign_record
from p2pship.identity.seal import seal
from p2pship.identity.statement import person_hash, read_statement, sign_statement, verify_statement
from p2pship.identity.validity import RECORD_LIFETIME, STATEMENT_LIFETIME
from p2pship.journal import PapersRefused
from p2pship.lookup.candidate import Slot
from tests.node.calling import BOB, NodeTestCase, refusal
from tests.node.stranger import MALLORY
from tests.scale import SCALE

STRIDE = 1 if SCALE else 37
"Octets from one altered octet of an item to the next."


class RecordTests(NodeTestCase):
    """What is published under Bob's name by others, or anew by whoever has seen it."""

    names = ("alice", "bob", "mallory")

    async def _set_up(self) -> None:
        """Let Alice and Bob have talked, and Mallory be published too."""
        self.alice, self.bob = await self.two_phones()
        self.mallory = await self.phone(MALLORY)
        await self.have_talked(self.alice, self.bob)

    def _slots(self, aor: str) -> list[Slot]:
        """Return the slots in which somebody's items are."""
        today = day_of(self.node("alice").reactor.seconds())
        keys = {Place.of_name(aor).lookup_key(day) for day in (today - 1, today, today + 1)}
        return [slot for slot in self.nodes.directory.items if slot.lookup_key in keys]

    def _item(self, aor: str) -> bytes:
        """Return today's item of somebody."""
        today = Place.of_name(aor).lookup_key(day_of(self.node("alice").reactor.seconds()))
        (slot,) = [slot for slot in self._slots(aor) if slot.lookup_key == today]
        return self.nodes.directory.items[slot]

    def _publish(self, item: bytes) -> None:
        """Put an item in place of every one of Bob's."""
        for slot in self._slots(BOB):
            self.nodes.directory.items[slot] = item

    async def _is_not_believed(self, item: bytes, *words: str) -> None:
        """Look that nobody is found by an item, that it is counted, and why."""
        refused = self.counts("alice").get("lookup.refused", 0)
        self._publish(item)
        found = await self.node("alice").standing.find({"aor": BOB})
        self.assertEqual(found["devices"], [])
        self.assertEqual(self.counts("alice")["lookup.refused"], refused + 1)
        for word in words:
            self.assertIn(word, found["reason"])
            self.assertIn(word, self.told("alice", PapersRefused)[-1].reason)

    async def test_of_another(self) -> None:
        """Mallory's item in Bob's slot, and Mallory's papers sealed for Bob's name."""
        await self._set_up()
        await self._is_not_believed(self._item(MALLORY), "not sealed for this place")
        await self._is_not_believed(self._sealed("mallory", MALLORY), "mallory@example.com")
        self.assertEqual(len(self.nodes.links.links), 2)

    async def test_call(self) -> None:
        """A call to Bob does not go to who is in his slot, and its story says what was not believed."""
        self.alice, self.bob = await self.two_phones()
        self.mallory = await self.phone(MALLORY)
        self._publish(self._item(MALLORY))
        self.assertEqual((await refusal(self.alice.call(self.bob.aor))).status, 404)
        self.assertEqual((self.bob.calls, self.mallory.calls), ([], []))
        (line,) = self.node("alice").standing.recent_calls({})
        (reason,) = self.node("alice").telephony.book.story(line["id"])["refused"]
        self.assertIn("not sealed for this place", reason)

    async def test_altered(self) -> None:
        """An item of which one octet is another, whichever, is none, and is counted."""
        await self._set_up()
        item = self._item(BOB)
        before, tries = self.counts("alice").get("lookup.refused", 0), range(0, len(item), STRIDE)
        for offset in tries:
            altered = bytearray(item)
            altered[offset] ^= 1 + offset % 255
            self._publish(bytes(altered))
            self.assertEqual((await self.node("alice").standing.find({"aor": BOB}))["devices"], [], offset)
        self.assertEqual(self.counts("alice")["lookup.refused"] - before, len(tries))
        self._publish(item)
        self.assertEqual(len((await self.node("alice").standing.find({"aor": BOB}))["devices"]), 1)

    async def test_altered_within(self) -> None:
        """Who knows the name can open an item, and seal it anew: a changed statement or record is found out all the same."""
        await self._set_up()
        statement, record = self._papers("bob", BOB)
        for offset in range(0, len(statement), STRIDE):
            await self._is_not_believed(self._seal(_flipped(statement, offset), record))
        for offset in range(0, len(record), STRIDE):
            await self._is_not_believed(self._seal(statement, _flipped(record, offset)))

    async def test_older_record(self) -> None:
        """An old record, published again after a newer one was seen."""
        await self._set_up()
        old = self._papers("bob", BOB, sequence=1)
        await self._is_not_believed(self._seal(*old), "sequence number 1,")

    async def test_older_statement(self) -> None:
        """A statement of before, which lists a device that was lost since."""
        await self._set_up()
        identity: Any = self.node("bob").keyring.identity(BOB)
        bob, lost = self.node("bob").keyring.device.listed, self.node("mallory").keyring.device.listed
        version = identity.stated().version
        now = self.node("alice").reactor.seconds()
        newer = verify_statement(self._papers("bob", BOB, version=version + 1, devices=[lost])[0], now)
        self.node("alice").keyring.accept_statement(newer, now, True)
        old = self._papers("bob", BOB, version=version, devices=[bob, lost])
        await self._is_not_believed(self._seal(*old), f"has version {version}, but")

    async def test_device_of_another(self) -> None:
        """Bob's statement with the record of Mallory's device."""
        await self._set_up()
        statement, _ = self._papers("bob", BOB)
        _, record = self._papers("mallory", MALLORY)
        await self._is_not_believed(self._seal(statement, record))
        _, claimed = self._papers("mallory", MALLORY, person=self.node("bob").keyring.identity(BOB))
        await self._is_not_believed(self._seal(statement, claimed))

    def _sealed(self, node: str, aor: str) -> bytes:
        device = self.node(node).keyring.device
        return self._seal(*self._papers(node, aor), publication_key=device.publication_key)

    def _seal(self, statement: bytes, record: bytes, publication_key: bytes | None = None) -> bytes:
        """Seal papers for Bob's name and, if nothing else is said, for his device's slot."""
        key = publication_key or self.node("bob").keyring.device.publication_key
        return seal(Place.of_name(BOB), day_of(self.node("alice").reactor.seconds()), key, statement, record)

    def _papers(
        self,
        node: str,
        aor: str,
        version: int | None = None,
        sequence: int | None = None,
        person: Any = None,
        devices: Sequence[ListedDevice] = (),
    ) -> tuple[bytes, bytes]:
        """Sign papers as a node would, but for what is asked for."""
        keyring = self.node(node).keyring
        identity: Any = keyring.identity(aor)
        stated, now = read_statement(identity.statement), int(self.node(node).reactor.seconds())
        of = version or stated.version
        statement = sign_statement(
            identity.sign,
            aor=aor,
            key=identity.key,
            version=of,
            issued=now,
            expires=now + STATEMENT_LIFETIME,
            devices=devices or stated.devices,
            certificate_hash=stated.certificate_hash,
        )
        whose = person or identity
        record = sign_record(
            keyring.device.sign,
            person=person_hash(whose.aor, whose.key),
            statement_version=of,
            sequence=sequence or (now + 60) * 1000,
            issued=now,
            expires=now + RECORD_LIFETIME,
            device_key=keyring.device.key,
            sealing_key=keyring.device.sealing_key,
            locators=self.nodes.bearers[node].locators(),
        )
        return statement, record


def _flipped(octets: bytes, offset: int) -> bytes:
    altered = bytearray(octets)
    altered[offset] ^= 0x41
    return bytes(altered)
