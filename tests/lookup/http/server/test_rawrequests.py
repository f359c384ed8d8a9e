"""A server and what is hardly HTTP: bodies without end, garbage, connections that say nothing."""

from __future__ import annotations

import random
import socket
from contextlib import closing

from twisted.internet.threads import deferToThread

from p2pship.lookup.http.server.site import LONGEST_BODY, LONGEST_PASSED_OVER
from p2pship.lookup.http.wire import events_path, slot_path, slots_path
from tests.lookup.http.publishers import LOOKUP_KEY, Publisher
from tests.lookup.http.server.browsing import Browser
from tests.lookup.http.server.servercase import ServerCase, fresh
from tests.scale import SEED, scaled

ALICE = Publisher(1)
PUT = f"PUT {slot_path(LOOKUP_KEY, ALICE.key)} HTTP/1.1\r\nHost: here\r\n".encode()
CHUNK = b"1000\r\n" + bytes(4096) + b"\r\n"

PATIENCE = 30.0


class RawRequestTests(ServerCase):
    """What is sent octet by octet."""

    async def sent(self, *parts: bytes, and_gone: bool = False) -> bytes:
        """Send octets from a thread, and return what is answered; ``and_gone`` says at their end that no more come."""
        answer: bytes = await deferToThread(self._send, parts, and_gone)
        return answer

    def _send(self, parts: tuple[bytes, ...], and_gone: bool) -> bytes:
        answer = b""
        with closing(socket.create_connection(("127.0.0.1", self.server.addresses()[0][1]))) as sender:
            sender.settimeout(PATIENCE)
            try:
                for part in parts:
                    sender.sendall(part)
                if and_gone:
                    sender.shutdown(socket.SHUT_WR)
                while b"\r\n\r\n" not in answer:
                    more = sender.recv(65536)
                    if not more:
                        break
                    answer += more
            except ConnectionError:
                return answer
        return answer

    async def well(self, browser: Browser) -> None:
        """Look that the server still serves."""
        self.assertEqual((await browser.ask(slots_path(LOOKUP_KEY))).status, 200)

    async def test_whole_addresses(self) -> None:
        """A request may name the whole address, as those to proxies do (RFC 9112 §3.2.2)."""
        await self.served()
        for before in ("http://here", "https://here:5580", "HTTP://here"):
            answer = await self.sent(
                f"GET {before}{slots_path(LOOKUP_KEY)} HTTP/1.1\r\nHost: here\r\n\r\n".encode()
            )
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        answer = await self.sent(b"GET http://here HTTP/1.1\r\nHost: here\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 404 "), answer)

    async def test_wrong_methods(self) -> None:
        """A method that is not served is refused, and those that are are named (RFC 9110 §15.5.6)."""
        await self.served(p2pext=True)
        for method, path, allowed in (
            ("OPTIONS", slots_path(LOOKUP_KEY), b"GET, HEAD"),
            ("DELETE", slot_path(LOOKUP_KEY, ALICE.key), b"GET, HEAD, PUT"),
            ("HEAD", events_path(LOOKUP_KEY), b"GET"),
            ("POST", "/health", b"GET, HEAD"),
            ("GET", "/get", b"POST"),
        ):
            answer = await self.sent(f"{method} {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
            self.assertTrue(answer.startswith(b"HTTP/1.1 405 "), answer)
            self.assertIn(b"\r\nAllow: " + allowed + b"\r\n", answer)

    async def test_long_announced(self) -> None:
        """A body that is announced to be far too long is refused before it comes."""
        browser = await self.served()
        answer = await self.sent(PUT + b"Content-Length: 99999999999\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        await self.well(browser)

    async def test_long_chunked(self) -> None:
        """A body in chunks, of which nobody says how many come, is refused when it is too long, and cut when it goes on."""
        browser = await self.served()
        few = LONGEST_BODY // 4096 + 1
        answer = await self.sent(PUT + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK * few, b"0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        many = 16 * LONGEST_PASSED_OVER // 4096
        answer = await self.sent(PUT + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK * many)
        self.assertIn(answer[:13], (b"HTTP/1.1 413 ", b""))
        await self.well(browser)

    async def test_chunked(self) -> None:
        """A slot may come in chunks."""
        await self.served()
        printed = fresh(ALICE).print()
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(printed), printed)
        answer = await self.sent(PUT + b"Transfer-Encoding: chunked\r\n\r\n", body)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)

    async def test_long_headers(self) -> None:
        """Headers without end are refused."""
        browser = await self.served()
        answer = await self.sent(PUT, b"X-More: " + b"a" * 100_000 + b"\r\n" * 2)
        self.assertNotIn(b"HTTP/1.1 200", answer)
        await self.well(browser)

    async def test_garbage(self) -> None:
        """Requests with octets changed at random never harm the server, and never put anything."""
        browser, chosen = await self.served(puts=100_000.0, questions=100_000.0), random.Random(SEED)
        printed = fresh(ALICE).print()
        whole = PUT + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(printed) + printed
        for _ in range(scaled(100, 5000)):
            spoilt = bytearray(whole)
            for _ in range(chosen.randrange(1, 8)):
                spoilt[chosen.randrange(len(spoilt))] = chosen.randrange(256)
            spoilt[-1] ^= 1  # of the signature: what is left whole by chance is not signed
            await self.sent(bytes(spoilt[: chosen.randrange(1, len(spoilt))]) + b"\r\n" * 600, and_gone=True)
        self.assertEqual((await browser.ask(slots_path(LOOKUP_KEY))).body, b"\x80")
