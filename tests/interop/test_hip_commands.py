"""``p2pship hip`` between two nodes that are processes of their own, asked as a person asks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from p2pship.cli.client import Refused
from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.programs import free_ports


class HIPCommandsTests(TestCase):
    """Alice's node pings Bob's."""

    def setUp(self) -> Any:
        """Start both nodes."""
        lan_port = free_ports(1)
        self.alices, self.bobs = (self.node(name, lan_port) for name in ("alice", "bob"))
        return gatherResults([self.alices.start(), self.bobs.start()])

    def node(self, name: str, lan_port: int) -> NodeProcess:
        """Describe a node that ends with the test."""
        folder = Path(self.mktemp()).absolute() / name
        node = NodeProcess(reactor, folder, lan_port, ["bearer.hip.opportunistic=true"])
        self.addCleanup(node.stop)
        return node

    def say(self, node: NodeProcess, *words: str) -> Deferred[tuple[bytes, bytes, int]]:
        """Give a command as it is typed; fires with its output, errors and exit code."""
        given = ["-m", "p2pship.cli", "--state", str(node.state), *words]
        done: Deferred[tuple[bytes, bytes, int]] = getProcessOutputAndValue(sys.executable, given, os.environ)
        return done

    async def place(self, node: NodeProcess) -> tuple[str, str]:
        """Return a node's HIT and where it answers."""
        shown = await node.ask("hip show")
        return shown["identities"][0]["hit"], shown["listening"][0]

    async def test_commands(self) -> None:
        """A ping makes an association, which both ends show and either can close; the exit code tells how it went."""
        hit, at = await self.place(self.bobs)
        own, _ = await self.place(self.alices)
        output, errors, code = await self.say(self.alices, "hip", "ping", f"{hit}@{at}")
        self.assertEqual((errors, code), (b"", 0))
        self.assertIn(b"4 echoes sent, 4 answered, 0 % lost", output)
        output, _, code = await self.say(self.alices, "hip", "associations")
        self.assertEqual((output, code), (b"There are no associations.\n", 0))
        under_way = self.alices.ask("hip ping", whom=f"{hit}@{at}", number=20)
        while not (found := await self.bobs.ask("hip associations")):
            pass
        self.assertEqual((found[0]["peer"], found[0]["dialled"]), (own, False))
        [closed] = await self.bobs.ask("hip close", hit=own)
        self.assertEqual(closed["peer"], own)
        with self.assertRaises(Refused) as refused:
            await under_way
        self.assertIn("give the command again", str(refused.exception))
        self.assertEqual((await self.bobs.ask("hip show"))["refused"], {})

    async def test_several(self) -> None:
        """Host Identities that are made while the nodes run are pinged, and ping; also whoever is there is pinged."""
        hit, at = await self.place(self.bobs)
        own, back = await self.place(self.alices)
        self.assertEqual((await self.alices.ask("hip ping", whom=at))["peer"], hit)
        for algorithm in ("p384", "rsa-2048"):
            made = await self.bobs.ask("device key create", algorithm=algorithm)
            there = await self.alices.ask("hip ping", whom=f"{made['hit']}@{at}")
            self.assertEqual((there["received"], there["peer"]), (4, made["hit"]))
        typed = ("hip", "ping", f"{own}@{back}", "--as", made["hit"], "--number", "1")
        output, _, code = await self.say(self.bobs, *typed)
        self.assertEqual(code, 0)
        self.assertIn(f"as {made['hit']}".encode(), output)
        output, _, _ = await self.say(self.bobs, "hip", "show")
        self.assertIn(b"pings only", output)
        _, _, code = await self.say(self.bobs, "device", "key", "remove", made["hit"], "--yes")
        self.assertEqual(code, 0)
        output, errors, code = await self.say(self.bobs, *typed)
        self.assertNotEqual(code, 0)
        self.assertIn(b"p2pship device key list", errors)
