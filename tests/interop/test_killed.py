"""What survives ``kill -9`` of a node of flesh and blood: the stories of its calls, that one was not over, and every command
that it has answered.

That no command is ever done by half is tested where it is killed far more often (``tests/commands/test_killed_changes.py``).
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from p2pship.cli.client import NoNode, Refused
from p2pship.errors import RemoteError
from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.phone import AT_ONCE, RING, Phone
from p2pship.testing.programs import free_ports
from tests.scale import SEED, scaled


class KilledTests(TestCase):
    """Two phones at one node."""

    async def test_stories(self) -> None:
        """After the kill a call that was up is told as interrupted, and one that was over as it was."""
        self.node = NodeProcess(reactor, Path(self.mktemp()).absolute(), free_ports(1))
        self.phones: list[Phone] = []
        try:
            await self._play()
        finally:
            await gatherResults([phone.stop() for phone in self.phones])
            await self.node.stop()

    async def _play(self) -> None:
        await self.node.start()
        alice, bob = await self._phone("alice"), await self._phone("bob")
        over = alice.call(bob.aor)
        await over.answered
        await over.hang_up()
        up = alice.call(bob.aor)
        await up.answered
        kept = await self._recent()
        await self.node.kill()
        await self.node.start()
        self.assertEqual([line["id"] for line in await self._recent()], [line["id"] for line in kept])
        stories = [await self.node.ask("calls why", id=line["id"]) for line in kept]
        states = {(story["call_id"], story["direction"]): story["state"] for story in stories}
        for direction in ("outgoing", "incoming"):
            self.assertEqual(states[up.dialog.call_id, direction], "interrupted")
            self.assertEqual(states[over.dialog.call_id, direction], "ended")
        await self.assertFailure(self.node.ask("calls why", id="nosuch"), Refused)

    async def _recent(self) -> list[dict[str, Any]]:
        """Return the stories that are kept; whoever asks has them written."""
        recent: list[dict[str, Any]] = await self.node.ask("calls recent")
        return recent

    async def _phone(self, user: str) -> Phone:
        answering = AT_ONCE if user == "bob" else RING
        phone = Phone(
            reactor,
            f"{user}@example.com",
            proxy=self.node.proxy,
            answering=answering,
            random=Random(len(self.phones)),
        )
        phone.start()
        self.phones.append(phone)
        await phone.register()
        return phone


class KilledWhileChangingTests(TestCase):
    """A node that is given one command after the other."""

    timeout = 60 + scaled(0, 400)

    async def test_changes(self) -> None:
        """Killed at any moment it starts again, and has all that it has answered, and at most the one thing more."""
        self.node = NodeProcess(reactor, Path(self.mktemp()).absolute(), free_ports(1))
        self.kept: list[str] = []
        random = Random(SEED)
        for _ in range(scaled(2, 60)):
            await self.node.start()
            await self._check()
            changing = Deferred.fromCoroutine(self._change())
            await deferLater(reactor, random.uniform(0, 0.3))
            await self.node.kill()
            await changing
        await self.node.start()
        await self._check()
        await self.node.stop()

    async def _change(self) -> None:
        """Block one after the other, until the node is gone."""
        try:
            if not await self.node.ask("identity list"):
                await self.node.ask("identity create", aor="alice@example.com")
            while True:
                name = f"p{len(self.kept)}@example.org"
                await self.node.ask("contact block", pattern=name)
                self.kept.append(name)
        except Refused:
            raise
        except (NoNode, RemoteError):
            return

    async def _check(self) -> None:
        if not await self.node.ask("identity list"):
            self.assertEqual(self.kept, [])
            return
        listed = (await self.node.ask("contact list"))["patterns"]
        names = [each["pattern"] for each in listed]
        self.assertEqual(set(self.kept) - set(names), set())
        self.assertLessEqual(len(names), len(self.kept) + 1)
        self.kept = names
