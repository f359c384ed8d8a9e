"""A phone of another machine that knows SHA-256, on real sockets; its answers are computed here, by the RFC and hashlib alone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from twisted.internet import reactor

from p2pship.address import HostPort
from p2pship.sip.message import Response
from p2pship.testing.nodes import MemoryNodes
from tests.commands.changes import give
from tests.node.calling import ALICE, BOB, NodeTestCase
from tests.node.rawphones import RawPhone

PASSWORD = "correct horse"
DOMAIN = "sip:example.com"


def digest(*parts: str) -> str:
    """Return H of RFC 7616 §3.3 for SHA-256."""
    return hashlib.sha256(":".join(parts).encode()).hexdigest()


def offers(response: Response) -> list[dict[str, str]]:
    """Return the parameters of each challenge, in their order."""
    lines = response.lines("WWW-Authenticate") + response.lines("Proxy-Authenticate")
    return [
        {name: value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', line)}
        for line in lines
    ]


def proof(offer: dict[str, str], method: str, uri: str, password: str = PASSWORD) -> str:
    """Return the credentials for a challenge (RFC 7616 §3.4), with the first count of its nonce."""
    nonce, count, own = offer["nonce"], "00000001", "f2/wE4q74E6z"
    ha1, ha2 = digest("alice", offer["realm"], password), digest(method, uri)
    response = digest(ha1, nonce, count, own, "auth", ha2)
    return (
        f'Digest username="alice", realm="{offer["realm"]}", nonce="{nonce}", uri="{uri}", algorithm=SHA-256, '
        f'qop=auth, nc={count}, cnonce="{own}", response="{response}"'
    )


class SHA256Tests(NodeTestCase):
    """Alice's phone is not believed by its address; Bob's is on the node's own machine."""

    names = ("alice",)

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make a node that serves phones elsewhere; they happen to be on loopback here."""
        return MemoryNodes(
            reactor, folder, self.names, ["sip.network.listen=127.0.0.1", "sip.network.port=0"]
        )

    async def alice(self) -> RawPhone:
        """Return Alice's phone, which has a password at the node."""
        desk = self.node("alice").desk
        give(desk, "identity create", aor=ALICE)
        give(desk, "phone password", aor=ALICE, password=PASSWORD)
        phone = RawPhone(HostPort.parse(self.node("alice").status()["sip"]["network"]), 0)
        await phone.open()
        self.addCleanup(phone.close)
        return phone

    async def said(self, phone: RawPhone, method: str, uri: str, receiver: str, *headers: str) -> Response:
        """Send a request of Alice's, and return its final response."""
        before = len(phone.finals(method))
        if method == "REGISTER":
            headers = (*headers, f"Contact: <sip:alice@{phone.address}>")
        phone.send(phone.request(method, uri, f"<sip:{ALICE}>;tag=a", f"<sip:{receiver}>", *headers))
        await self.eventually(lambda: len(phone.finals(method)) > before)
        return phone.finals(method)[-1]

    async def test_registers_and_writes(self) -> None:
        """SHA-256 is offered first; who answers it is registered, and may write; the same answer to MD5's offer is not needed."""
        phone, bob = await self.alice(), await self.phone(BOB, node="alice")
        challenged = await self.said(phone, "REGISTER", DOMAIN, ALICE)
        first, second = offers(challenged)
        self.assertEqual(
            (challenged.status, first["algorithm"], second["algorithm"], first["realm"]),
            (401, "SHA-256", "MD5", "example.com"),
        )
        answer = proof(first, "REGISTER", DOMAIN)
        accepted = await self.said(phone, "REGISTER", DOMAIN, ALICE, f"Authorization: {answer}")
        self.assertEqual((accepted.status, len(accepted.lines("Contact"))), (200, 1))
        uri = f"sip:{BOB}"
        challenged = await self.said(phone, "MESSAGE", uri, BOB)
        self.assertEqual((challenged.status, bob.texts), (407, []))
        answer = proof(offers(challenged)[0], "MESSAGE", uri)
        accepted = await self.said(phone, "MESSAGE", uri, BOB, f"Proxy-Authorization: {answer}")
        self.assertEqual((accepted.status, len(bob.texts)), (200, 1))

    async def test_wrong_password(self) -> None:
        """With another password it is challenged again, and not registered."""
        phone = await self.alice()
        first = offers(await self.said(phone, "REGISTER", DOMAIN, ALICE))[0]
        answer = proof(first, "REGISTER", DOMAIN, "another horse")
        refused = await self.said(phone, "REGISTER", DOMAIN, ALICE, f"Authorization: {answer}")
        self.assertEqual((refused.status, list(self.node("alice").telephony.bindings)), (401, []))
