"""Somebody's own lookup: one file, one line, and people are found through it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import examples.folderlookup
from examples.folderlookup import FolderSettings, make
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from p2pship.interfaces import IBearer, ILookup, ISearch
from p2pship.lookup.candidate import Question
from p2pship.node import Node
from p2pship.testing.bearer import MemoryBearer
from p2pship.testing.lookup import unsigned_slot
from p2pship.testing.nodes import MemoryNodes
from tests.lookup.recording import RecordingReceiver
from tests.node.calling import BOB, NodeTestCase

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto" / "write-a-lookup.md"


class CardTests(SynchronousTestCase):
    """The plug-in as the how-to installs it."""

    def test_found(self) -> None:
        """With the file, and the line of the how-to in ``twisted/plugins``, the configuration has its section."""
        folder = Path(self.mktemp()).absolute()
        (folder / "twisted" / "plugins").mkdir(parents=True)
        shutil.copy(examples.folderlookup.__file__, folder)
        lines = re.findall(r"^    (.*)$", HOWTO.read_text(), re.MULTILINE)
        (folder / "twisted" / "plugins" / "folderlookup_dropins.py").write_text("\n".join(lines))
        path = os.pathsep.join([str(folder), *sys.path])
        command = [sys.executable, "-m", "p2pship.cli", "config"]
        printed = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
        )
        self.assertIn("[lookup.folder]", printed.stdout)
        self.assertIn(FolderSettings.__doc__ or "", printed.stdout.replace("\n# ", " "))


class FolderNodes(MemoryNodes):
    """Nodes whose only lookup is a folder."""

    def lookups_of(self, name: str, node: Node) -> Mapping[str, ILookup]:
        """Make it as its card does."""
        lookup = make(reactor, FolderSettings(folder=str(self._folder / "shared")), node)
        assert lookup is not None
        return {"folder": lookup}

    def bearers_of(self, name: str, node: Node) -> dict[str, IBearer]:
        """Make a bearer that says that it is at a public address, as no others are told to the wide area."""
        self.bearers[name] = MemoryBearer(
            reactor, self.links, node.keyring.device, "198.51.99.1", devices=node.keyring.devices
        )
        return {"memory": self.bearers[name]}


class CallTests(NodeTestCase):
    """Two nodes with it."""

    def make_nodes(self, folder: Path) -> MemoryNodes:
        """Make the nodes."""
        self.folder = folder / "shared"
        return FolderNodes(reactor, folder, self.names)

    async def test_call(self) -> None:
        """Bob is found through it, with junk beside him; who has gone is not."""
        alice, bob = await self.two_phones()
        for slots in tuple(self.folder.iterdir()):
            (slots / "junk").write_bytes(bytes(100))
            (slots / "too long").write_bytes(bytes(10_000))
        await self.up(alice, bob)
        await self.nodes.stop_one("bob")
        found = await self.node("alice").standing.find({"aor": BOB})
        self.assertEqual((found["devices"], found["asked"][0]["answer"]), ([], "completed"))

    async def test_interface(self) -> None:
        """It does what a lookup has to, and says why a folder cannot be read."""
        lookup, key = self.node("alice").lookups["folder"], bytes(32)
        verifyObject(ILookup, lookup)
        slot = unsigned_slot(key, key)
        await lookup.publish(slot, b"item")
        self.assertEqual(await self.asked(lookup, key), ([b"item"], [None]))
        await lookup.withdraw(slot)
        self.assertEqual(await self.asked(lookup, key), ([], [None]))
        (self.folder / key.hex() / "folder").mkdir()
        self.assertEqual(await self.asked(lookup, key), ([], [None]))
        self.patch(examples.folderlookup, "MOST_ITEMS", "a bug")
        _, (error,) = await self.asked(lookup, key)
        self.assertIn("the folder cannot be read", str(error))

    async def asked(self, lookup: ILookup, key: bytes) -> tuple[list[bytes], list[Exception | None]]:
        """Return the items that a lookup tells, and how it ends."""
        receiver, cancelled = RecordingReceiver(), RecordingReceiver()
        verifyObject(ISearch, lookup.find(Question(key), receiver))
        lookup.find(Question(key), cancelled).cancel()
        await receiver.ended
        self.assertEqual((cancelled.candidates, cancelled.ends), ([], []))
        return [candidate.item for candidate in receiver.candidates], receiver.ends
