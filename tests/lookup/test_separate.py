"""What is published of identities that have a device of their own."""

from __future__ import annotations

from p2pship.address import Locator
from p2pship.identity.place import DAY
from p2pship.identity.record import verify_record
from p2pship.identity.statement import read_statement
from p2pship.identity.validity import RECORD_LIFETIME
from p2pship.interfaces import IIdentity
from p2pship.lookup.edition import ANNOUNCING_TIME
from p2pship.lookup.publisher import COALESCING_TIME, MOST_BACK
from tests.lookup.people import PUBLIC
from tests.lookup.test_publisher import ALICE, PublisherTestCase

BOB = "bob@example.com"
PUBLIC_TLS = Locator("tls", PUBLIC.host, 5567)


class SeparateTests(PublisherTestCase):
    """Two people of one node."""

    def start_separate(self) -> None:
        """Publish both, each with a device of their own; the random octets are others each time."""
        octets = iter(range(1, 256))
        self.publisher._random = lambda length: bytes([next(octets)]) * length
        for aor in (ALICE, BOB):
            self.keyring.create(aor, separate=True)
        self.start()

    def device_of(self, aor: str) -> bytes:
        """Return the publication key of the device of an identity."""
        identity = self.keyring.identity(aor)
        assert identity is not None
        return identity.device.publication_key

    def test_slots(self) -> None:
        """Each has slots under the key of its own device alone, and none is under the node's."""
        self.start_separate()
        slots = self.wide._directory.items.keys() | self.near._directory.items.keys()
        keys = {slot.publication_key for slot in slots}
        self.assertEqual(keys, {self.device_of(ALICE), self.device_of(BOB)})
        self.assertEqual(len({slot.lookup_key for slot in slots}), 6)

    def test_found(self) -> None:
        """Who finds both finds devices that have nothing in common, not even the moment of signing."""
        self.start_separate()
        for _ in range(4):
            alice, bob = self.papers(self.wide, ALICE), self.papers(self.wide, BOB)
            self.assertEqual(alice.record.locators, bob.record.locators)
            for part in ("sequence", "issued", "device_key", "sealing_key", "person"):
                self.assertNotEqual(getattr(alice.record, part), getattr(bob.record, part), part)
            ours, theirs = alice.statement.devices[0], bob.statement.devices[0]
            self.assertNotEqual(ours.host_identity_hash, theirs.host_identity_hash)
            self.clock.advance(ANNOUNCING_TIME * 1.2)

    def test_always_valid(self) -> None:
        """Though it is dated back, what is found always holds for a good while."""
        self.start_separate()
        for _ in range(60):
            self.clock.advance(61)
            now = self.clock.seconds()
            for aor in (ALICE, BOB):
                record = self.papers(self.wide, aor).record
                self.assertLessEqual(record.issued, now)
                self.assertGreater(record.expires, now + RECORD_LIFETIME / 4)
                self.assertGreaterEqual(now - record.issued, 0)
        self.assertLess(MOST_BACK, ANNOUNCING_TIME / 2)

    def test_hello(self) -> None:
        """The record in a hello is of the edition that is published, signed by the device of the identity."""
        self.start_separate()
        identity, now = self.keyring.identity(ALICE), self.clock.seconds()
        assert identity is not None
        record = verify_record(self.publisher.record_for(identity, (PUBLIC,), now), now)
        published = self.papers(self.wide).record
        self.assertEqual((record.sequence, record.issued), (published.sequence, published.issued))
        self.assertEqual(record.device_key, identity.device.key)

    def test_separated(self) -> None:
        """Given one later, nothing stays in the slots of the node's device, and its record is the newer one."""
        self.start(ALICE)
        old = set(self.wide._directory.items)
        before = self.papers(self.wide).record
        self.clock.advance(1000)
        self.keyring.separate(ALICE)
        self.clock.advance(COALESCING_TIME)
        self.assertEqual(old & self.wide._directory.items.keys(), set())
        after = self.papers(self.wide).record
        self.assertNotEqual(after.device_key, before.device_key)
        self.clock.advance(DAY)
        self.assertEqual(
            {slot.publication_key for slot in self.wide._directory.items}, {self.device_of(ALICE)}
        )

    def test_ways(self) -> None:
        """The locators are those of the identity's own device."""
        self.publisher._locators = self._ways
        self.keyring.create(ALICE, separate=True)
        self.start(BOB)
        self.assertEqual(self.papers(self.wide, ALICE).record.locators, (PUBLIC,))
        self.assertEqual(self.papers(self.wide, BOB).record.locators, (PUBLIC_TLS, PUBLIC))

    def _ways(self, identity: IIdentity) -> tuple[Locator, ...]:
        shared = identity.device.hit == self.keyring.device.hit
        return (PUBLIC_TLS, PUBLIC) if shared else (PUBLIC,)

    def test_statement(self) -> None:
        """Nothing of the node's own device is in what is stated, also of one that was on it before."""
        self.start(ALICE)
        self.keyring.separate(ALICE)
        identity = self.keyring.identity(ALICE)
        assert identity is not None
        stated = read_statement(identity.statement)
        self.assertEqual([one.publication_key for one in stated.devices], [self.device_of(ALICE)])
        self.assertNotIn(self.keyring.device.listed.host_identity_hash, stated.raw)
