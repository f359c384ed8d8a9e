"""A real node, server and DHT, and clients that share no code with them: each finds what the other has published."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from p2pship.testing.dht import PrivateDHT
from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import free_ports
from tests.interop import otherlookup as other
from tests.interop.otherpapers import Person, Place
from tests.lookup.http.server.serverprocess import ServerProcess

BOB, CAROL, DAVE, ERIN = (f"{name}@example.com" for name in ("bob", "carol", "dave", "erin"))

NODE, STRANGER, ELSEWHERE = "127.0.101.1", "127.0.102.1", "127.0.103.1"

PATIENCE, SILENCE = 20.0, 0.3
"Seconds for an answer to come, and after which none comes any more."

TRIES, LOOK = 100, 0.1
"How often the DHT is asked for what the node has not yet put there, and the seconds between."


class OtherLookupTests(TestCase):
    """Bob's node publishes on a server and in a DHT; Carol is on the server, Erin was, and Dave is in the DHT, by clients of their own."""

    async def test_each_finds_the_other(self) -> None:
        """What Bob's node published is read and goes when it stops; it finds Carol and Dave, and not Erin."""
        self.dht = PrivateDHT()
        self.addCleanup(self.dht.stop)
        self.server = ServerProcess(reactor, Path(self.mktemp()).absolute())
        self.addCleanup(lambda: Deferred.fromCoroutine(self.server.stop()))
        settings = (
            f'lookup.http.servers=["http://127.0.0.1:{self.server.port}"]',
            "lookup.lan.enabled=false",
            "lookup.mainline.enabled=true",
            "lookup.mainline.private=true",
            f'lookup.mainline.listen=["{NODE}"]',
            "lookup.mainline.question_port=0",
            f"lookup.mainline.dht_port={self.dht.port}",
            f"lookup.mainline.bootstrap={','.join(self.dht.bootstrap)}",
        )
        node = NodeProcess(reactor, Path(self.mktemp()).absolute(), free_ports(1), settings)
        starting: list[Deferred[Any]] = [Deferred.fromCoroutine(self.server.start()), node.start()]
        await gatherResults(starting)
        self.client = self.dweller(STRANGER)
        try:
            await node.ask("identity create", aor=BOB)
            key, news = await deferToThread(self.read)
            await deferToThread(self.publish)
            await deferToThread(self.announce)
            found = await gatherResults([node.ask("find", aor=name) for name in (CAROL, DAVE, ERIN)])
            self.assertEqual([lookups(each) for each in found], [{"http"}, {"mainline"}, set()])
        finally:
            await node.stop()
        await deferToThread(next, (sealed for sealed in news if not sealed))
        self.assertEqual(await deferToThread(self.client.get, key, Place(BOB).salt), b"")

    def read(self) -> tuple[bytes, Any]:
        """Find Bob on the server, by a question, and by his publication key; return this, and what brings news of his slot."""
        place = Place(BOB)
        news = other.follow(self.server.port, place.lookup_key)
        key, statement, _ = place.open(next(item for item in news if item))
        (at,) = self.until(self.client.peers, place.handle)
        right = place.question(socket.inet_aton(at[0]))
        asking = self.dweller(STRANGER).socket
        asking.settimeout(PATIENCE)
        asking.sendto(right, at)
        answer = asking.recv(2000)
        self.assertEqual((answer[:6], answer[8:24]), (b"P2PQ\1\2", right[8:24]))
        self.assertEqual(place.open(answer[26 : 26 + int.from_bytes(answer[24:26])])[:2], (key, statement))
        elsewhere, forged = place.question(socket.inet_aton(ELSEWHERE)), right[:79] + bytes((right[79] ^ 1,))
        asking.settimeout(SILENCE)
        for wrong in (elsewhere, forged.ljust(1000, b"\0"), right[:999]):
            asking.sendto(wrong, at)
        self.assertRaises(TimeoutError, asking.recv, 2000)
        item = self.until(self.client.get, key, place.salt)
        self.assertEqual(place.open(item)[:2], (key, statement))
        return key, (sealed for sealed in news if sealed is not None)

    def publish(self) -> None:
        """Put Carol and Erin on the server, and take Erin back."""
        carol, erin = Person(CAROL), Person(ERIN)
        for person, item in ((erin, erin.item), (carol, carol.item), (erin, b"")):
            port, key = self.server.port, person.place.lookup_key
            self.assertEqual(other.put(port, key, person.signer, item), 200)

    def announce(self) -> None:
        """Announce where Dave is asked for, and answer there."""
        dave, at = Person(DAVE), self.dweller(ELSEWHERE)
        at.announce(dave.place.handle)
        serving = Thread(target=serve, args=(dave, at))
        serving.start()
        self.addCleanup(serving.join)
        self.addCleanup(self.client.socket.sendto, b"", at.socket.getsockname())

    def dweller(self, host: str) -> other.KRPC:
        """Return somebody who asks the DHT, until the test ends."""
        made = other.KRPC(host, (self.dht.hosts[0], self.dht.port))
        self.addCleanup(made.socket.close)
        return made

    def until(self, ask: Callable[..., Any], *arguments: bytes) -> Any:
        """Ask the DHT until it knows something."""
        for _ in range(TRIES):
            if answer := ask(*arguments):
                return answer
            time.sleep(LOOK)
        raise AssertionError("the DHT never knew it")


def serve(person: Person, at: other.KRPC) -> None:
    """Answer questions for somebody until an empty datagram comes; and nodes of the DHT, which take who announces himself for one of them."""
    at.socket.settimeout(None)
    asked, sender = at.socket.recvfrom(2000)
    while asked:
        answer = b""
        if asked.startswith(b"P2PQ"):
            answer = person.place.answer(asked, person.item)
        elif (query := other.bdecode(asked)).get(b"y") == b"q":
            answer = other.bencode({b"t": query[b"t"], b"y": b"r", b"r": {b"id": at.id}})
        if answer:
            at.socket.sendto(answer, sender)
        asked, sender = at.socket.recvfrom(2000)


def lookups(found: Any) -> set[str]:
    """Return which lookups told of a person's devices."""
    return {device["lookup"] for device in found["devices"]}
