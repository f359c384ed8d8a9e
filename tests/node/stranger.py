"""Mallory, whose node sends what no honest node sends, while Alice and Bob talk."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from p2pship.interfaces import IPeer
from p2pship.journal import RequestRefused
from p2pship.sip.message import Request, Response, request
from p2pship.testing.phonecall import State
from tests.node.calling import BOB, NodeTestCase

MALLORY = "mallory@example.com"


class StrangerCase(NodeTestCase):
    """Mallory's node has a link to Bob's, while Alice and Bob talk."""

    names = ("alice", "bob", "mallory")

    async def set_up(self) -> None:
        """Let Alice and Bob talk, and Mallory have met both."""
        alice, bob = await self.two_phones()
        self.alice, self.bob, self.mallory = alice, bob, await self.phone(MALLORY)
        self.call, self.answered = await self.up(alice, bob)
        await self.mallory.message(bob.aor, "hello")  # which makes the link
        await self.mallory.message(alice.aor, "hello")
        self.heard = len(bob.received)

    def peer(self, aor: str) -> IPeer:
        """Return a person as Mallory's node sees them."""
        (peer,) = [peer for peer in self.node("mallory").overlay.peers() if peer.aor == aor]
        return peer

    def send(self, aor: str, message: Request | Response) -> Deferred[bytes]:
        """Send a message over Mallory's link to somebody."""
        return self.peer(aor).send("sip", message.encode())

    def request(
        self, method: str, uri: str = f"sip:{BOB}", sender: str = f"<sip:{MALLORY}>;tag=m", **changed: str
    ) -> Request:
        """Make a request as it goes over a link, with what the test wants to be wrong."""
        headers = {
            "Via": "SIP/2.0/P2P [2001:20::1];branch=z9hG4bKmallory;rport",
            "Max-Forwards": "70",
            "From": sender,
            "To": f"<{uri}>",
            "Call-ID": "forged",
            "CSeq": f"1 {method}",
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        return request(method, uri, list(headers.items()))

    async def undisturbed(self) -> None:
        """Look that Bob's phone has heard nothing, and that the two talk on."""
        self.assertEqual((self.call.state, self.answered.state), (State.UP, State.UP))
        self.assertEqual((await self.call.send_info("1")).status, 200)
        await self.talk(self.call, self.answered)
        received = [message for message in self.bob.received[self.heard :] if isinstance(message, Request)]
        self.assertEqual([message.method for message in received], ["INFO"])

    async def is_refused(self, message: Request, rule: str) -> None:
        """Look that Bob's node refuses a request by a rule, tells its journal who it was, and that all goes on."""
        await self.set_up()
        await self.refuses(message, rule)
        await self.undisturbed()

    async def refuses(self, message: Request, rule: str) -> None:
        """Look that Bob's node refuses a request by a rule, and says whose it was."""
        refused = self.counts("bob").get(f"screen.{rule}", 0)
        told = len(self.told("bob", RequestRefused))
        await self.send(BOB, message)
        await self.eventually(lambda: self.counts("bob").get(f"screen.{rule}") == refused + 1)
        (fact,) = self.told("bob", RequestRefused)[told:]
        self.assertEqual((fact.method, fact.status), (message.method, 403))
        self.assertIn(MALLORY, fact.reason)
