"""Tests for p2pship.bearer.tcp, over real sockets on loopback."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import TestCase

from p2pship.bearer.tcp import SETTINGS, TCPSettings, make
from p2pship.config import load
from tests.bearer.contract import BearerContract
from tests.bearer.fakes import FakeNode
from tests.bearer.streampair import TCPPair


class TCPBearerTests(TCPPair, BearerContract, TestCase):
    """The contract of all bearers."""


class TCPTests(TCPPair, TestCase):
    """What is this bearer's own."""

    async def test_other_kind_of_key(self) -> None:
        """A device whose key is no P-256 key is not reached, and that is said."""
        key = ec.generate_private_key(ec.SECP384R1()).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        error = await self.refused(der, self.bob.locators())
        self.assertIn("public key of a kind", str(error))

    def test_settings(self) -> None:
        """It is off by default, and says of itself that nothing is encrypted."""
        settings = load(None, {"bearer.tcp": SETTINGS}).get(TCPSettings)
        self.assertEqual((settings.enabled, settings.port), (False, 5567))
        bearer = make(self.clock, settings, FakeNode(self.journal))
        self.assertEqual((bearer.name, bearer.encrypted, bearer.locators()), ("tcp", False, []))
