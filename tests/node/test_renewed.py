"""Whole nodes: a certificate is renewed while its person gets a new device."""

from __future__ import annotations

from p2pship.identity.statement import read_statement
from p2pship.identity.verdict import NameGrade
from p2pship.trust.authority import read_request
from p2pship.trust.certificates import load
from tests.node.calling import ALICE, BOB
from tests.node.twodevices import TwoDevicesCase

DAYS = 20
"So few are left that a new certificate is due."


class RenewedTests(TwoDevicesCase):
    """Alice runs the family's authority, which signed Bob's name, and Bob links his laptop."""

    async def test_while_linking(self) -> None:
        """The laptop is listed, has the new certificate within moments, and what it says is verified to Alice."""
        alice, home = await self.phone(ALICE), await self.phone(BOB)
        authorities, keyring = self.node("alice").desk.authorities, self.node("bob").keyring
        root = authorities.create("family", "example.com", ALICE).certificate
        self.node("bob").desk.authorities.trust(root, "example.com")
        keyring.install_chain(BOB, authorities.issue(read_request(keyring.request(BOB)), DAYS))
        await self.have_talked(home, alice)
        old = self.chain("bob")
        self.node("bob")._circle._renewal.check()
        self.link()  # before Alice's node has answered
        self.assertEqual((self.chain("bob"), self.chain("laptop")), (old, old))
        laptop = await self.phone(BOB, node="laptop")
        await self.eventually(lambda: self.chain("bob") != old)
        self.assertEqual(len(self.devices("bob")), 2)
        await self.eventually(lambda: self.chain("laptop") == self.chain("bob"))
        self.assertEqual(self.devices("laptop"), self.devices("bob"))
        left = load(self.chain("laptop")[0]).not_valid_after_utc - load(old[0]).not_valid_after_utc
        self.assertEqual(left.days, 90 - DAYS)
        call, answered = await self.up(laptop, alice)
        await self.talk(call, answered)
        (verdict,) = [
            peer.verdict for peer in self.node("alice").overlay.peers() if peer.hit == self.hit("laptop")
        ]
        self.assertIs(verdict.name, NameGrade.VERIFIED)
        await call.hang_up()
        await answered.ended

    def chain(self, node: str) -> tuple[bytes, ...]:
        """Return Bob's certificates as one of his nodes has them."""
        identity = self.node(node).keyring.identity(BOB)
        assert identity is not None
        return identity.chain

    def devices(self, node: str) -> tuple[object, ...]:
        """Return Bob's devices as one of his nodes lists them."""
        identity = self.node(node).keyring.identity(BOB)
        assert identity is not None
        return read_statement(identity.statement).devices
