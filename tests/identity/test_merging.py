"""Tests of what several devices with the identity key each changed, and of backups that know less than the device."""

from __future__ import annotations

from p2pship.identity.changes import MOST_REVOKED_STATED, restated
from p2pship.identity.identity import Identity
from p2pship.identity.keyring import Keyring
from p2pship.identity.ownchain import chain_hash
from p2pship.identity.statement import MOST_DEVICES, read_statement
from p2pship.identity.validity import STATEMENT_LIFETIME
from tests.identity.authority import Authority
from tests.identity.example import AOR, other_devices
from tests.identity.test_lifecycle import LifecycleTestCase


class MergingTests(LifecycleTestCase):
    """Two owners' devices that could not hear of each other."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.keyring.create(AOR)
        self.family = Authority()
        self.other = self.linked(owner=True)

    def meet(self) -> None:
        """Let both devices tell each other until neither learns anything, which is soon."""
        turns = 0
        while self.pass_on(self.keyring, self.other) | self.pass_on(self.other, self.keyring):
            turns += 1
            self.assertLess(turns, 4)

    def chains(self) -> list[tuple[bytes, ...]]:
        """Return the certificates that each of them has now."""
        return [self.held(keyring).chain for keyring in (self.keyring, self.other)]

    def held(self, keyring: Keyring) -> Identity:
        """Return the identity as a device has it."""
        identity = keyring.identity(AOR)
        assert identity is not None
        return identity

    def test_certificate_installed_meanwhile(self) -> None:
        """A device that was off, and signed the statement anew before it met the other, does not take away the certificate."""
        chain, revocations = self.family.issue(AOR, self.alice.key), self.family.revocations()
        self.keyring.install_chain(AOR, chain, revocations)
        before = self.alice.stated().version
        self.clock.advance(STATEMENT_LIFETIME * 2 // 3)
        other = self.held(self.other)
        self.assertGreater(other.stated().version, before)
        self.meet()
        self.assertEqual(self.chains(), [chain, chain])
        self.assertEqual((self.again().revocations, other.revocations), (revocations, revocations))
        self.assertTrue(read_statement(other.statement).authority)

    def test_list_left_out(self) -> None:
        """A revocation list that does not come along, as it is too long, is kept while the certificates are the same."""
        chain, revocations = self.family.issue(AOR, self.alice.key), self.family.revocations()
        self.keyring.install_chain(AOR, chain, revocations)
        self.meet()
        self.clock.advance(60)
        self.other.add_device(AOR, other_devices(1)[0])
        self.assertTrue(self.keyring.adopt_statement(AOR, self.held(self.other).statement, chain))
        self.assertEqual(self.again().revocations, revocations)

    def test_both_renewed(self) -> None:
        """Of two certificates the one that was issued later is kept, on both."""
        first, second = (self.family.issue(AOR, self.alice.key, begins=begins) for begins in (-2, -1))
        self.keyring.install_chain(AOR, second)
        self.clock.advance(60)
        self.other.install_chain(AOR, first)
        self.meet()
        self.assertEqual(self.chains(), [second, second])

    def test_found_without_certificates(self) -> None:
        """Statements that a lookup has, without their certificates, take none away either; the two agree when they meet."""
        first, second = (self.family.issue(AOR, self.alice.key, begins=begins) for begins in (-2, -1))
        self.keyring.install_chain(AOR, first)
        self.clock.advance(60)
        self.other.install_chain(AOR, second)
        for _ in range(3):
            for giver, taker in ((self.other, self.keyring), (self.keyring, self.other)):
                taker.adopt_statement(AOR, self.held(giver).statement)
        self.meet()
        self.assertEqual(self.chains(), [second, second])

    def test_certificates_of_nobody(self) -> None:
        """What another device calls its certificates, and is none of the person's, is not kept: the next start could not read it."""
        for garbage in (
            (b"\x30\x03abc",),
            (self.alice.certificate, b"\x30\x03abc"),
            (b"", self.alice.certificate),
        ):
            self.clock.advance(60)
            holdings = self.held(self.other).holdings()
            forged = restated(holdings, self.clock.seconds(), certificate_hash=chain_hash(garbage))
            self.assertTrue(self.keyring.adopt_statement(AOR, forged.raw, garbage))
            self.assertEqual(self.again().chain, ())

    def test_too_many(self) -> None:
        """Where both have listed as many devices as there may be, they agree on some of them."""
        self.meet()
        for keyring, first in ((self.keyring, 0), (self.other, MOST_DEVICES)):
            for device in other_devices(2 * MOST_DEVICES)[first : first + MOST_DEVICES - 2]:
                keyring.add_device(AOR, device)
            self.clock.advance(1)
        self.meet()
        agreed = [read_statement(self.held(keyring).statement) for keyring in (self.keyring, self.other)]
        self.assertEqual(set(agreed[0].devices), set(agreed[1].devices))
        self.assertEqual(len(agreed[0].devices), MOST_DEVICES)


class KnownBetterTests(LifecycleTestCase):
    """A backup from before a device was revoked."""

    def test_revoked_since(self) -> None:
        """Put in the place of an identity that knows better, it does not list the device again."""
        self.keyring.create(AOR)
        lost = other_devices(1)[0]
        self.keyring.add_device(AOR, lost)
        bundle = self.keyring.bundle(AOR, with_key=True)
        for device in (
            lost.host_identity_hash,
            *(bytes([100 + at]) * 32 for at in range(MOST_REVOKED_STATED)),
        ):
            self.keyring.revoke_device(AOR, device)
        self.clock.advance(1)
        self.keyring.restore(bundle, replace=True)
        statement = read_statement(self.again().statement)
        self.assertEqual(statement.devices, (self.keyring.device.listed,))
        self.assertEqual(len(statement.revoked), MOST_REVOKED_STATED)
