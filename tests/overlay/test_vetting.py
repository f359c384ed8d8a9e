"""Tests for :mod:`p2pship.overlay.vetting`: what a hello shows of us, and what is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from p2pship.address import HostPort, Locator
from p2pship.errors import HelloRefused
from p2pship.identity.verify import papers_from
from p2pship.interfaces import ILink
from p2pship.overlay.hello import parse_hello
from p2pship.overlay.vetting import Vetting
from tests.overlay.nodes import ALICE, BOB, OverlayCase, PlainTrust

PUBLIC, PRIVATE, LOOPBACK = (
    Locator.parse(text) for text in ("tls:198.51.99.7:5566", "tls:10.1.2.3:5566", "tls:127.0.0.1:5566")
)


@dataclass
class PretendedLink:
    """What vetting asks of a link."""

    remote: HostPort | None
    own: bytes = b""
    encrypted: bool = True
    proof: bytes = b""


FAR = HostPort("203.0.112.5", 5566)
HERE = HostPort("127.0.0.1", 5566)


class VettingTests(OverlayCase):
    """One node's own."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.two()
        self.peer = self.alice.reach(BOB)
        keyring = self.alice.keyring
        self.vetting = Vetting(
            self.clock,
            keyring,
            PlainTrust(keyring),
            keyring.record_for,
            lambda *_: True,
            lambda _: (PUBLIC, PRIVATE, LOOPBACK),
            ("sip",),
        )

    def shown(self, link: PretendedLink, accepted: bool) -> tuple[Locator, ...]:
        """Return the locators in our hello over a link."""
        link.own = self.alice.keyring.device.key
        body = parse_hello(self.vetting.hello(self.peer, cast(ILink, link), accepted).body)
        return papers_from(body.statement, body.record, self.clock.seconds(), ALICE).record.locators

    def test_private_addresses(self) -> None:
        """Private addresses are for those whose hello was believed, and who are reached encrypted."""
        self.assertEqual(self.shown(PretendedLink(FAR), True), (PUBLIC, PRIVATE))
        self.assertEqual(self.shown(PretendedLink(FAR), False), (PUBLIC,))
        self.assertEqual(self.shown(PretendedLink(FAR, encrypted=False), True), (PUBLIC,))

    def test_loopback_addresses(self) -> None:
        """Loopback addresses are for those on the same machine."""
        for remote in (HERE, None):
            self.assertEqual(self.shown(PretendedLink(remote), True), (PUBLIC, PRIVATE, LOOPBACK))

    def test_remembers_encrypted(self) -> None:
        """A hello over an encrypted link marks the device, one in the clear does not."""
        papers = self.node("carol@example.com").papers("carol@example.com")
        clear, encrypted = (cast(ILink, PretendedLink(FAR, encrypted=one)) for one in (False, True))
        self.vetting.accept(papers, clear, keep=False)
        self.assertFalse(self.vetting.must_be_encrypted(papers.hit))
        self.vetting.accept(papers, encrypted, keep=False)
        self.assertTrue(self.vetting.must_be_encrypted(papers.hit))

    def test_encrypted_meanwhile(self) -> None:
        """While a hello in the clear was looked at, one over an encrypted link has passed: that in the clear is refused."""
        papers = self.node("carol@example.com").papers("carol@example.com")
        clear, encrypted = (cast(ILink, PretendedLink(FAR, encrypted=one)) for one in (False, True))
        self.vetting.accept(papers, encrypted, keep=False)
        self.assertRaises(HelloRefused, self.vetting.accept, papers, clear, keep=False)
