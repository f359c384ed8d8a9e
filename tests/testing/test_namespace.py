"""Network namespaces for tests, tested."""

from __future__ import annotations

import os
import select
import socket
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.namespace import NamespaceScriptFailed, run_in_namespace


class NamespaceTests(TestCase):
    """Scripts in a network of their own."""

    timeout = 90

    def script(self, text: str) -> Path:
        """Return a script."""
        path = Path(self.mktemp())
        path.write_text(text)
        return path

    async def test_own_network(self) -> None:
        """A script sees a network with loopback alone, and may do in it what it likes."""
        script = self.script(
            "from p2pship.network import list_interfaces\n"
            "from p2pship.testing.namespace import ip\n"
            "ip('addr add 10.1.1.1/24 dev lo')\n"
            "print([each.name for each in list_interfaces()], dict(list_interfaces()[0].addresses)['10.1.1.1'])\n"
        )
        self.assertEqual(await run_in_namespace(reactor, script), "['lo'] 24\n")
        self.assertGreater(len(socket.if_nameindex()), 0)

    async def test_arguments(self) -> None:
        """A script gets its arguments."""
        script = self.script("import sys; print(sys.argv[1:])")
        self.assertEqual(await run_in_namespace(reactor, script, "a b", "c"), "['a b', 'c']\n")

    async def test_fails(self) -> None:
        """A script that fails is a test that fails, with what it wrote."""
        script = self.script("print('so far', flush=True)\nraise SystemExit('no further')")
        error = await self.assertFailure(run_in_namespace(reactor, script), NamespaceScriptFailed)
        self.assertIn("so far", str(error))
        self.assertIn("no further", str(error))

    async def test_does_not_end(self) -> None:
        """A script that does not end in time is ended, and is a test that fails, with what it wrote."""
        script = self.script("import time; print('so far', flush=True); time.sleep(1000)")
        error = await self.assertFailure(run_in_namespace(reactor, script, limit=3.0), NamespaceScriptFailed)
        self.assertEqual(str(error), "so far\n")

    async def test_leaves_nothing(self) -> None:
        """What a script began and left running is ended with it."""
        script = self.script("import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)")
        pid = int(await run_in_namespace(reactor, script))
        self.assertTrue(_ends(pid))


def _ends(pid: int) -> bool:
    """Wait until a process has ended; tell whether it has in time."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    readable, _, _ = select.select([process], [], [], 20)
    os.close(process)
    return bool(readable)
