"""Tests of identities that come from elsewhere, to a device of their own or past one."""

from __future__ import annotations

from p2pship.errors import LocalError
from p2pship.identity.device import Device
from p2pship.identity.record import verify_record
from tests.identity.example import AOR
from tests.identity.test_separate import SeparateTestCase


class BroughtTests(SeparateTestCase):
    """Identities that come from elsewhere."""

    def setUp(self) -> None:
        super().setUp()
        self.keyring.create(AOR)

    def test_restored(self) -> None:
        """A backup has no device keys; what is restored can have a device of its own, with new ones."""
        self.keyring.separate(AOR)
        device = self.held(self.keyring).device
        other = self.opened()
        self.assertTrue(other.restore(self.keyring.bundle(AOR, with_key=True), separate=True).separate)
        self.assertNotEqual(self.held(other).device.hit, device.hit)
        self.assertEqual(set(self.listed(other)), {device.listed, self.held(other).device.listed})

    def test_restored_in_place(self) -> None:
        """In the place of one that has a device of its own, it goes on with that; an older backup does not bring back the node's."""
        bundle = self.keyring.bundle(AOR, with_key=True)
        self.keyring.separate(AOR)
        device = self.held(self.keyring).device
        self.keyring.restore(bundle, replace=True)
        self.assertIs(self.held(self.keyring).device, device)
        self.assertEqual(self.listed(self.keyring), (device.listed,))

    def test_replaced(self) -> None:
        """What takes the place of one stays on its device, whatever is configured, unless it is said for this one."""
        self.keyring.separate_device = True
        bundle = self.keyring.bundle(AOR, with_key=True)
        self.assertFalse(self.keyring.restore(bundle, replace=True).separate)
        self.assertEqual(self.listed(self.keyring), (self.keyring.device.listed,))
        own = self.keyring.restore(bundle, replace=True, separate=True).device
        self.assertEqual(self.listed(self.keyring), (own.listed,))
        self.keyring.separate_device = False
        self.assertEqual(self.keyring.restore(bundle, replace=True).device.hit, own.hit)

    def test_restored_apart(self) -> None:
        """An older backup that is restored to a device of its own no longer lists the node's."""
        bundle = self.keyring.bundle(AOR, with_key=True)
        self.keyring.remove(AOR)
        own = self.keyring.restore(bundle, separate=True).device
        self.assertEqual(self.listed(self.keyring), (own.listed,))
        self.assertTrue(self.again().separate)

    def test_replaced_by_older(self) -> None:
        """Nor do the other devices bring the node's back if the backup is from before that was linked."""
        bundle = self.keyring.bundle(AOR, with_key=True)
        other = self.opened()
        other.restore(bundle)
        self.pass_on(other, self.keyring)
        self.assertIn(other.device.listed, self.listed(self.keyring))
        own = other.restore(bundle, replace=True, separate=True).device
        while self.pass_on(self.keyring, other) | self.pass_on(other, self.keyring):
            self.clock.advance(1)
        self.assertEqual(set(self.listed(self.keyring)), {self.keyring.device.listed, own.listed})

    def test_removed_and_restored(self) -> None:
        """One that left the node's device before does not come back to it: it gets another one of its own."""
        self.keyring.separate(AOR)
        bundle = self.keyring.bundle(AOR, with_key=True)
        self.keyring.remove(AOR)
        self.assertTrue(self.keyring.restore(bundle).separate)
        self.assertNotIn(self.keyring.device.listed, self.listed(self.keyring))

    def test_revoked(self) -> None:
        """A device of its own that the person revoked is no device of ours any more; the identity can come back on another."""
        other = self.opened()
        other.restore(self.keyring.bundle(AOR, with_key=True), separate=True)
        self.pass_on(other, self.keyring)
        revoked = self.held(other).device
        self.keyring.revoke_device(AOR, revoked.listed.host_identity_hash)
        self.pass_on(self.keyring, other)
        self.assertIsNone(other.identity(AOR))
        self.assertEqual((other.devices(), other.device_of(revoked.hit)), ((other.device,), None))
        other.restore(self.keyring.bundle(AOR, with_key=True), replace=True)
        self.assertNotIn(self.held(other).device.hit, (revoked.hit, other.device.hit))

    def test_linked(self) -> None:
        """What another device hands over is used on the device that asked for it, while that is ours."""
        other = self.opened()
        guest = other.create_self_certifying(separate=True)
        self.keyring.add_device(AOR, guest.device.listed)
        bundle = self.keyring.bundle(AOR, with_key=False)
        parts = (AOR, bundle.raw, bundle.chain, bundle.revocations, None)
        self.assertRaises(LocalError, other.adopt_identity, *parts, Device.new())
        other.adopt_identity(*parts, guest.device)
        other.remove(guest.aor)
        self.assertEqual([one.hit for one in other.devices()], [other.device.hit, guest.device.hit])
        record = other.record_for(self.held(other), (), self.clock.seconds())
        self.assertEqual(verify_record(record, self.clock.seconds()).device_key, guest.device.key)
