"""Tests of MESSAGE (RFC 3428) between phones."""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from tests.node.calling import ALICE, BOB, NodeTestCase, requests

TEXTS = (
    "hello",
    "ein Gruß, 你好 🌍",
    'two lines\r\nand\ttabs, "quotes" and a colon: here',
    " leading and trailing spaces \r\n\r\n",
    "x" * 1200,
)


class MessageTests(NodeTestCase):
    """Texts outside of calls."""

    async def test_both_ways(self) -> None:
        """Texts arrive byte for byte, each once, in order, from who sent them."""
        alice, bob = await self.two_phones()
        for sender, receiver in ((alice, bob), (bob, alice)):
            for text in TEXTS:
                self.assertEqual((await sender.message(receiver.aor, text)).status, 200)
            self.assertEqual([each.text for each in receiver.texts], list(TEXTS))
            self.assertEqual({each.sender for each in receiver.texts}, {sender.aor})

    async def test_any_body(self) -> None:
        """A body that is no text arrives as it is, with its type."""
        alice, bob = await self.two_phones()
        body = bytes(range(256))
        answer = await alice.request("MESSAGE", bob.aor, [("Content-Type", "application/octet-stream")], body)
        self.assertEqual(answer.status, 200)
        (received,) = requests(bob, "MESSAGE")
        self.assertEqual((received.body, received.first("Content-Type")), (body, "application/octet-stream"))

    async def test_at_once(self) -> None:
        """Both send at the same moment though their nodes have never met: nothing is lost."""
        alice, bob = await self.two_phones()
        self.nodes.links.latency = 0.02
        answers = await gatherResults(
            [
                each
                for n in range(5)
                for each in (alice.message(bob.aor, str(n)), bob.message(alice.aor, str(n)))
            ]
        )
        self.assertEqual({answer.status for answer in answers}, {200})
        for phone in (alice, bob):
            self.assertEqual(sorted(each.text for each in phone.texts), ["0", "1", "2", "3", "4"])

    async def test_unknown(self) -> None:
        """Somebody whom nobody knows is 404."""
        alice = await self.phone(ALICE)
        self.assertEqual((await alice.message("sip:nobody@example.com", "hi")).status, 404)

    async def test_within_a_call(self) -> None:
        """A text within a call's dialog reaches the other phone."""
        alice, bob = await self.two_phones()
        call, answered = await self.up(alice, bob)
        answer = await answered.request("MESSAGE", [("Content-Type", "text/plain")], b"psst")
        self.assertEqual(answer.status, 200)
        self.assertEqual([request.body for request in call.requests], [b"psst"])


class TCPMessageTests(MessageTests):
    """The same with phones that use TCP."""

    transport = "tcp"

    async def test_large(self) -> None:
        """A text that is larger than a datagram arrives over TCP."""
        alice, bob = await self.two_phones()
        text = "longer " * 8000
        self.assertEqual((await alice.message(f"sip:{BOB}", text)).status, 200)
        self.assertEqual([each.text for each in bob.texts], [text])
