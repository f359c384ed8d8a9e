"""Certificates and revocation lists in hellos."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, cast

from p2pship.errors import BadPapers
from p2pship.identity.certificate import self_signed
from p2pship.identity.keys import new_p256
from p2pship.identity.statement import read_statement, sign_statement
from p2pship.identity.validity import STATEMENT_LIFETIME
from p2pship.identity.verify import papers_from, with_chain
from p2pship.interfaces import IIdentity, ILink
from p2pship.overlay.hello import parse_hello
from p2pship.overlay.vetting import Vetting
from p2pship.overlay.wire import MAX_HELLO, encode
from tests.overlay.nodes import ALICE, BOB, NOW, OverlayCase
from tests.overlay.test_rejudging import TellableTrust
from tests.overlay.test_vetting import HERE, PretendedLink

CHAIN = tuple(self_signed(new_p256(), ALICE, NOW) for _ in range(2))


class Certified:
    """An own identity that has certificates; in all else it is another one."""

    def __init__(self, identity: IIdentity, chain: tuple[bytes, ...], revocations: bytes) -> None:
        self._identity = identity
        self.chain, self.revocations = chain, revocations
        self.statement = sign_statement(
            identity.sign,
            aor=identity.aor,
            key=identity.key,
            version=int(NOW) + 10,
            issued=int(NOW),
            expires=int(NOW) + STATEMENT_LIFETIME,
            devices=[],
            certificate_hash=hashlib.sha256(b"".join(chain)).digest(),
            authority=b"a family",
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._identity, name)


class CertifiedTests(OverlayCase):
    """What is in a hello, and what is made of it."""

    def hello(self, chain: tuple[bytes, ...], revocations: bytes) -> Any:
        """Return the body of Alice's hello when she has these."""
        self.alice, self.bob = self.two()
        peer = self.alice.reach(BOB)
        peer.identity = Certified(peer.identity, chain, revocations)  # type: ignore[assignment]
        keyring = self.alice.keyring
        vetting = Vetting(
            self.clock,
            keyring,
            TellableTrust(),
            lambda identity, *rest: keyring.record_for(self.alice.own, *rest),
            lambda *_: True,
            lambda _: (),
            ("sip",),
        )
        frame = vetting.hello(
            peer, cast(ILink, PretendedLink(HERE, own=peer.identity.device.key)), accepted=False
        )
        self.assertLessEqual(len(encode(frame, 1)), MAX_HELLO)
        return parse_hello(frame.body)

    def test_carried(self) -> None:
        """They are carried as they are."""
        body = self.hello(CHAIN, b"revoked")
        self.assertEqual((body.chain, body.revocations), (b"".join(CHAIN), b"revoked"))

    def test_left_out(self) -> None:
        """What has no room is left out: first the revocation list, then the certificates."""
        long = self.hello(CHAIN, bytes(4000))
        self.assertEqual((long.chain, long.revocations), (b"".join(CHAIN), b""))
        longer = self.hello((*CHAIN, bytes(4000)), b"revoked")
        self.assertEqual((longer.chain, longer.revocations), (b"", b""))

    def test_self_signed(self) -> None:
        """A certificate that is self-signed says nothing, and is not sent."""
        body = self.hello(CHAIN[:1], b"")
        self.assertEqual(body.chain, b"")

    def test_judged_with(self) -> None:
        """Papers have the certificates that the statement names; with others they are not believed."""
        body = self.hello(CHAIN, b"revoked")
        alice = self.alice.papers(ALICE)
        self.assertEqual(alice.chain, ())
        statement = Certified(self.alice.own, CHAIN, b"").statement
        for chain in (b"".join(reversed(CHAIN)), CHAIN[0], b"0"):
            self.assertRaises(
                BadPapers, papers_from, alice.statement.raw, alice.record.raw, NOW, ALICE, chain=chain
            )
        theirs = replace(alice, statement=read_statement(statement))
        self.assertEqual(with_chain(theirs, body.chain, body.revocations).chain, CHAIN)
