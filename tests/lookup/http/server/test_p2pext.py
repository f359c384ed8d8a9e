"""The calls of the original p2pship, over real sockets."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from p2pship.lookup.http.server.p2pext import LONGEST_DATA, LONGEST_NAME, LONGEST_SECRET
from p2pship.lookup.http.wire import slots_path
from tests.lookup.http.publishers import LOOKUP_KEY, Publisher
from tests.lookup.http.server.browsing import Browser
from tests.lookup.http.server.servercase import ServerCase, fresh


class P2PEXTTests(ServerCase):
    """Get, put and rm."""

    async def call(self, browser: Browser, what: str, **form: str) -> tuple[int, bytes]:
        """Post a form."""
        body = urlencode(form).encode()
        kind = "application/x-www-form-urlencoded"
        answer = await browser.ask(f"/{what}", "POST", body, content_type=kind)
        return answer.status, answer.body

    async def test_off(self) -> None:
        """Nobody has them who did not switch them on."""
        browser = await self.served()
        for what in ("get", "put", "rm"):
            self.assertEqual((await self.call(browser, what, key="a"))[0], 404)

    async def test_calls(self) -> None:
        """A value is kept until it is taken back by its secret; one of another secret beside it is the next entry."""
        browser = await self.served(p2pext=True)
        await self.call(browser, "put", key="alice", data="<record>&1</record>", secret="s", ttl="3600")
        await self.call(browser, "put", key="alice", data="other", secret="t", ttl="3600")
        self.assertEqual(
            await self.call(browser, "get", key="alice", entry="0"), (200, b"<record>&1</record>")
        )
        self.assertEqual(await self.call(browser, "get", key="alice", entry="1"), (200, b"other"))
        self.assertEqual((await self.call(browser, "get", key="alice", entry="2"))[0], 404)
        await self.call(browser, "put", key="alice", data="new", secret="s", ttl="3600")
        self.assertEqual(await self.call(browser, "get", key="alice"), (200, b"new"))
        await self.call(browser, "rm", key="alice", secret="wrong")
        self.assertEqual(await self.call(browser, "get", key="alice"), (200, b"new"))
        self.assertEqual((await self.call(browser, "rm", key="alice", secret="s"))[0], 200)
        self.assertEqual(await self.call(browser, "get", key="alice"), (200, b"other"))

    async def test_expired(self) -> None:
        """A value is gone when its time is over."""
        browser = await self.served(p2pext=True)
        await self.call(browser, "put", key="alice", data="x", ttl="1")
        while (await self.call(browser, "get", key="alice"))[0] == 200:
            self.assertLess(time.time(), self.began + 10)

    def setUp(self) -> None:
        self.began = time.time()

    async def test_wrong(self) -> None:
        """Forms that are none of these are refused."""
        browser = await self.served(p2pext=True)
        wrong = [
            {"data": "x"},
            {"key": "a" * (LONGEST_NAME + 1)},
            {"key": "a", "data": "x" * (LONGEST_DATA + 1)},
            {"key": "a", "ttl": "0"},
            {"key": "a", "ttl": "-1"},
            {"key": "a", "ttl": "soon"},
            {"key": "a", "ttl": "9" * 30},
        ]
        for form in wrong:
            self.assertEqual((await self.call(browser, "put", **form))[0], 400)
        for entry in ("-1", "16", "99999"):
            self.assertEqual((await self.call(browser, "get", key="a", entry=entry))[0], 404)
        self.assertEqual((await browser.ask("/get")).status, 405)

    async def test_longest(self) -> None:
        """The longest of everything is taken, however many octets the form makes of it."""
        browser, data = await self.served(p2pext=True), "/" * LONGEST_DATA
        put = await self.call(browser, "put", key="&" * LONGEST_NAME, secret="=" * LONGEST_SECRET, data=data)
        self.assertEqual(put[0], 200)
        self.assertEqual(await self.call(browser, "get", key="&" * LONGEST_NAME), (200, data.encode()))

    async def test_quotas(self) -> None:
        """There are so many values under a name, from an address, and in all; slots have room of their own."""
        browser = await self.served(p2pext=True, p2pext_values_each=20)
        statuses = [
            (await self.call(browser, "put", key="a", data="x", secret=str(number)))[0]
            for number in range(17)
        ]
        self.assertEqual(statuses, [200] * 16 + [507])
        statuses = [(await self.call(browser, "put", key=str(number), data="x"))[0] for number in range(5)]
        self.assertEqual(statuses, [200] * 4 + [507])
        self.assertEqual((await self.call(browser, "put", key="0", data="y"))[0], 200)
        self.assertEqual((await browser.put(fresh(Publisher(1)))).status, 200)
        self.assertEqual((await browser.ask(slots_path(LOOKUP_KEY))).status, 200)
        full = await self.served(p2pext=True, p2pext_values=1)
        statuses = [(await self.call(full, "put", key=str(number), data="x"))[0] for number in range(2)]
        self.assertEqual(statuses, [200, 507])

    async def test_flood(self) -> None:
        """Too many from one address are refused."""
        browser = await self.served(p2pext=True, puts=0.1)
        statuses = [(await self.call(browser, "put", key="a", data=str(number)))[0] for number in range(7)]
        self.assertEqual(statuses, [200] * 6 + [429])
