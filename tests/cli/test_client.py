"""The client of the control socket survives whatever answers there."""

from __future__ import annotations

import errno
import shutil
import socket
import tempfile
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from p2pship.cli.client import NoNode, Refused, ask
from p2pship.errors import P2PShipError, RemoteError


class AskTests(SynchronousTestCase):
    """Asking something that may not be a node."""

    def setUp(self) -> None:
        self.state = Path(tempfile.mkdtemp())  # mktemp's path can be too long for a socket
        self.addCleanup(shutil.rmtree, self.state)

    def answer(self, data: bytes) -> None:
        """Answer one connection with these octets."""
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.state / "control"))
        server.listen(1)

        def serve() -> None:
            connection, _ = server.accept()
            with connection, server:
                connection.recv(65536)
                connection.sendall(data)

        thread = Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)

    def test_result(self) -> None:
        """The result of an answer is returned; one without is None."""
        self.answer(b'{"ok": true, "result": [1]}\n')
        self.assertEqual(ask(self.state, "status"), [1])

    def test_news(self) -> None:
        """What comes before the answer is told."""
        self.answer(b'{"news": 1}\n{"news": [2]}\n{"ok": true, "result": 3}\n')
        heard: list[object] = []
        self.assertEqual((ask(self.state, "find", heard=heard.append), heard), (3, [1, [2]]))

    def test_nobody_reads_on(self) -> None:
        """Whoever takes the news and has enough, as head(1), is not told that the node hung up."""
        self.answer(b'{"news": 1}\n{"ok": true, "result": 3}\n')

        def enough(news: object) -> None:
            raise BrokenPipeError

        self.assertRaises(BrokenPipeError, ask, self.state, "find", heard=enough)

    def test_refused(self) -> None:
        """An error is raised in the node's words."""
        self.answer(b'{"ok": false, "error": "no"}\n')
        self.assertEqual(str(self.assertRaises(Refused, ask, self.state, "status")), "no")

    def test_garbage(self) -> None:
        """What is no answer is an error, never an exception of another kind."""
        for data, words in (
            (b"", "without an answer"),
            (b"\n", "not JSON"),
            (b"{\n", "not JSON"),
            (b"[]\n", "not JSON"),
            (b"\xff\n", "not JSON"),
            (b"[" * 100_000 + b"\n", "not JSON"),
        ):
            self.answer(data)
            error = self.assertRaises(RemoteError, ask, self.state, "status")
            self.assertIn(words, str(error))
            (self.state / "control").unlink()

    def test_nobody(self) -> None:
        """Neither a missing socket nor one that was left behind is a node."""
        self.assertRaises(NoNode, ask, self.state, "status")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(self.state / "control"))
        self.assertRaises(NoNode, ask, self.state, "status")

    def test_folder_that_cannot_be_looked_into(self) -> None:
        """What the system says of such a folder is told in words, with its path."""
        name = "x" * 300  # is refused to everybody, as somebody else's folder is not to root
        self.assertIn(name, str(self.assertRaises(P2PShipError, ask, self.state / name, "status")))

    def test_of_another_user(self) -> None:
        """Whoever may not speak to the node is told who may."""

        def refuse(path: Path) -> bool:
            raise PermissionError(errno.EACCES, "Permission denied")

        self.patch(Path, "exists", refuse)  # which root, who runs some tests, is never refused
        error = self.assertRaises(RemoteError, ask, self.state, "status")
        self.assertIn("as the user who runs the node, or name your own with --state", str(error))

    def test_too_long_a_folder(self) -> None:
        """A folder in whose name no socket fits has no node either, unless its note says so."""
        self.assertRaises(NoNode, ask, self.state / ("x" * 200), "status")
