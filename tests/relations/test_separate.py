"""Relations of an identity that has a device of its own: of the node's, or of other identities there, nothing is told."""

from __future__ import annotations

from p2pship.identity.keyring import Keyring
from p2pship.relations import introducewire, introductions, statements
from p2pship.relations.codes import Invitation, Secret
from p2pship.relations.devicenames import named_devices
from p2pship.relations.joining import NAME, Linked
from p2pship.relations.statementwire import write
from p2pship.trust.ledger import GUEST
from p2pship.trust.pins import BY_CONTACT
from tests.overlay.nodes import ALICE, BOB
from tests.relations.devices import Device, DevicesCase
from tests.relations.test_linking import LinkingCase
from tests.relations.test_pairing import PairingCase

CAROL = "carol@example.com"


def own_hit(device: Device, aor: str = ALICE) -> bytes:
    """Return the HIT of the device that an identity is used on."""
    identity = device.keyring.identity(aor)
    assert identity is not None
    return bytes(identity.device.hit)


class SeparateLinkingTests(LinkingCase):
    """A new device that no other identity of its node uses."""

    def link(self, who: Device, owner: bool = False) -> Linked:
        """Link a node by a code, with a device of its own, and let both come into step."""
        joining = self.linkings[who].join(ALICE, self._secret(owner), None, "laptop", separate=True)
        self.clock.pass_time(10)
        return self.successResultOf(joining)

    def _secret(self, owner: bool) -> Secret:
        return Invitation.read(self.open(owner).uri).secret

    def test_linked(self) -> None:
        """It is listed and named, with and without the identity key, and the node's own device is nowhere in what is told."""
        for owner in (False, True):
            new = self.linkable(BOB)
            self.assertEqual(self.link(new, owner).owner, owner)
            self.assertNotIn(own_hit(new), (new.hit, own_hit(new, BOB)))
            self.assertEqual(new.listed(ALICE), self.old.listed(ALICE))
            self.assertNotIn(new.digest, self.old.listed(ALICE))
            self.clock.pass_time(5)
            self.assertEqual(self.old.entries(ALICE), new.entries(ALICE))
            self.assertIn("laptop", [one.name for one in named_devices(self.old.ledger, ALICE).values()])
            self.assertEqual([one.aor for one in new.keyring.identities()], [BOB, ALICE])

    def test_nothing_told(self) -> None:
        """Nobody who is linked hears of the node's own HIT or key, in the ledger, its stamps, or a peer."""
        new = self.linkable(BOB)
        self.link(new)
        self.clock.pass_time(600)
        entries = self.old.ledger.entries(ALICE)
        told = b"".join(entry.stamp + entry.name.encode() + (entry.value or b"") for entry in entries)
        self.assertIn(own_hit(new), told)
        for part in (new.hit[4:], new.digest, new.digest.hex().encode()):
            self.assertNotIn(part, told)
        self.assertEqual({peer.hit for peer in self.old.overlay.peers()}, {own_hit(new)})

    def test_called(self) -> None:
        """Somebody who looks for Alice reaches both devices, and Bob on that node by another."""
        new, carol = self.linkable(BOB), self.linkable(CAROL)
        self.link(new)
        to_alice, to_bob = carol.people(ALICE), carol.people(BOB)
        self.clock.pass_time(8)
        self.assertEqual({peer.hit for peer in to_alice.peers}, {self.old.hit, own_hit(new)})
        self.assertEqual({peer.hit for peer in to_bob.peers}, {new.hit})

    def test_from_separate(self) -> None:
        """A window opens on the device that the identity is used on, and the URI names that one."""
        self.old.keyring.separate(ALICE)
        self.clock.pass_time(1)
        window = self.open()
        self.assertEqual(Invitation.read(window.uri).hit, own_hit(self.old))
        self.assertEqual(self.successResultOf(self.join(window.code)).hit, own_hit(self.old))
        self.assertNotIn(self.old.digest, self.new.listed(ALICE))

    def test_revoked(self) -> None:
        """One that is revoked is not used any more; linked anew, it has new keys and is let in."""
        new = self.linkable(BOB)
        self.link(new)
        before = new.keyring.device_of(own_hit(new))
        assert before is not None
        self.old.keyring.revoke_device(ALICE, before.listed.host_identity_hash)
        self.clock.pass_time(3)
        self.assertIsNone(new.keyring.identity(ALICE))
        self.assertIsNone(new.keyring.device_of(before.hit))
        new.keyring.remove(ALICE)
        self.link(new)
        self.assertNotEqual(own_hit(new), before.hit)

    def test_left(self) -> None:
        """A device that the identity has left is not linked again by itself; who is there is told what to do, and that helps."""
        new = self.linkable(BOB)
        self.linkings[new].join(ALICE, self._secret(True), None, "laptop")
        self.clock.pass_time(10)
        new.keyring.separate(ALICE)
        self.clock.pass_time(60)
        new.keyring.remove(ALICE)
        window = self.open()
        waiting = self.linkings[self.old].wait(ALICE)
        again = self.linkings[new].join(ALICE, Secret.typed(window.code), None, "laptop")
        self.clock.pass_time(10)
        self.assertIn("could not do it", str(self.failureResultOf(again).value))
        self.assertIn("--separate-device", str(self.failureResultOf(waiting).value))
        self.assertNotIn(new.digest, self.old.listed(ALICE))
        self.link(new)
        self.assertIn(own_hit(new), [one.hit for one in named_devices(self.old.ledger, ALICE).values()])

    def test_failed(self) -> None:
        """Where it fails, the device that was made for it goes with the name that was made for it."""
        joining = self.linkings[self.new].join(ALICE, self._secret(False), bytes(16), "laptop", separate=True)
        self.clock.pass_time(60)
        self.failureResultOf(joining)
        self.assertEqual(self.new.keyring.devices(), (self.new.keyring.device,))

    def test_killed(self) -> None:
        """Where the node was killed meanwhile, both go at the next start."""
        keyring, ledger = self.new.keyring, self.new.ledger
        keyring.create_self_certifying(lambda aor: ledger.put(aor, GUEST, NAME, {}), separate=True)
        self.assertEqual(len(keyring.devices()), 2)
        self.linkings[self.new].start()
        self.assertEqual((keyring.devices(), keyring.identities()), ((keyring.device,), ()))

    def test_in_step(self) -> None:
        """Devices of one person that each have one of their own keep in step, also after one of them was separated later."""
        new = self.linkable(BOB)
        self.link(new, owner=True)
        self.old.keyring.separate(ALICE)
        self.clock.pass_time(60)
        self.old.ledger.put(ALICE, "contact", CAROL, {"name": "Carol"})
        self.clock.pass_time(1200)
        self.assertEqual(new.ledger.get(ALICE, "contact", CAROL), {"name": "Carol"})
        self.assertEqual(new.listed(ALICE), self.old.listed(ALICE))
        self.assertNotIn(self.old.digest, new.listed(ALICE))


class SeparatePairingTests(PairingCase):
    """Contacts of whom one, or both, have a device of their own."""

    def setUp(self) -> None:
        self.patch(Keyring, "separate_device", True)
        super().setUp()

    def test_by_itself(self) -> None:
        """They agree on a secret when they are connected."""
        self.alice.people(BOB)
        self.clock.pass_time(20)
        (ours,), (theirs,) = self.secrets(self.alice), self.secrets(self.bob)
        self.assertEqual(ours, theirs)

    def test_code(self) -> None:
        """They agree on one by a URI, which names the device that the identity is used on."""
        window = self.pairings[self.alice].open(ALICE, BOB)
        invitation = Invitation.read(window.uri)
        self.assertEqual(invitation.hit, self.alice.own.device.hit)
        joining = self.pairings[self.bob].join(BOB, ALICE, invitation.secret, invitation.hit)
        self.clock.pass_time(20)
        self.successResultOf(joining)
        self.assertEqual(self.secrets(self.alice), self.secrets(self.bob))


class AllowanceTests(DevicesCase):
    """Somebody sends so much to one identity that no more is taken."""

    def test_of_each(self) -> None:
        """Another one with a device of its own takes as much as ever: that it did not would tell that both are on one node."""
        alice, bob = self.device(ALICE), self.device(BOB)
        apart = alice.keyring.create(CAROL, separate=True)
        for identity in (alice.own, apart):
            alice.contacts.add(identity.aor, BOB)
            alice.pins.make(identity.aor, BOB, bob.own.key, BY_CONTACT)
        check = introducewire.write(introducewire.Check(()))
        for name, payload, most in (
            (statements.NAME, write(statements.news_of(bob.own)), statements.AT_ONCE),
            (introductions.NAME, check, introductions.AT_ONCE),
        ):
            taken = []
            for aor in (ALICE, CAROL):
                peer = bob.reach(aor)
                answers = [self.watch(peer.send(name, payload)) for _ in range(most + 1)]
                self.clock.pass_time(0.1)
                taken.append(sum(isinstance(answer, bytes) for (answer,) in answers))
            self.assertEqual(taken, [most, most], name)
