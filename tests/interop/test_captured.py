"""What somebody hears who listens on the cable between two machines, with the lookup and the links that people really use."""

from __future__ import annotations

import base64
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.namespace import run_in_namespace
from tests.interop.namespace_captured import ALICE, DISPLAYS, DOMAIN, SECRETS, TEXT, found

SCRIPT = Path(__file__).with_name("namespace_captured.py")

IN_THE_CLEAR = (
    "bearer.hip.enabled=false",
    "bearer.tls.enabled=false",
    "bearer.udp.enabled=true",
    'bearer.udp.listen=["0.0.0.0"]',
)


class CapturedTests(TestCase):
    """Every frame on the cable is kept by a packet socket, and searched, while a call, a text and a subscription pass."""

    timeout = 90

    async def heard(self, *settings: str) -> tuple[str, str]:
        """Let two machines talk; return what went over the cable, and what could be read of it."""
        folder = Path(self.mktemp()).absolute()
        printed = await run_in_namespace(reactor, SCRIPT, str(folder), *settings)
        frames, read = [line for line in printed.splitlines() if line.startswith(("read:", *"0123456789"))]
        return frames, read

    async def check_encrypted(self, bearer: str, *settings: str) -> None:
        """Let two machines talk by an encrypted bearer, and find nothing."""
        frames, read = await self.heard(*settings)
        self.assertRegex(frames, rf"^\d{{2,}} frames, [1-9]\d* of the LAN lookup, over {bearer} ")
        self.assertEqual(read, "read: []")

    async def test_hip(self) -> None:
        """Attack: captured LAN lookups and HIP links, searched for names, domain, display names, texts, in plain, hex and base64."""
        await self.check_encrypted("hip", "bearer.tls.enabled=false")

    async def test_tls(self) -> None:
        """Attack: the same with links over TLS."""
        await self.check_encrypted("tls", "bearer.hip.enabled=false")

    async def test_in_the_clear(self) -> None:
        """The same over ``udp``, which hides nothing, as documented: who searches like that finds what there is."""
        frames, read = await self.heard(*IN_THE_CLEAR)
        self.assertIn("over udp ", frames)
        for secret in (ALICE, DOMAIN, TEXT, DISPLAYS[ALICE]):
            self.assertIn(repr(secret), read)

    def test_search(self) -> None:
        """The search finds each secret, in every writing that it knows, in the middle of other octets."""
        for secret in SECRETS:
            for written in (secret.encode(), secret.upper().encode(), secret.encode().hex().encode()):
                self.assertIn(secret, found([b"\x00" * 7, b"xyz" + written + b"\xff" * 9]))
            for lead in range(3):
                self.assertIn(secret, found([base64.b64encode(b"?" * lead + secret.encode() + b"???")]))
        self.assertEqual(found([bytes(range(256)) * 40]), set())
