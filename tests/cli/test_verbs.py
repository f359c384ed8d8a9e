"""The verbs of the table on the command line: with a running node, and without one."""

from __future__ import annotations

import builtins
import getpass
import json
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorUNIX
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from p2pship.commands.table import NOUNS, verbs
from p2pship.control import ControlServer
from p2pship.errors import LocalError
from p2pship.storage import wrapping
from p2pship.storage.state import StateFolder
from tests.cli.test_command import run_here


class OfflineTests(SynchronousTestCase):
    """Without a node the command does it itself."""

    def setUp(self) -> None:
        self.patch(wrapping, "COST", 4)  # a quarter of a second each time, otherwise
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def do(self, *words: str) -> str:
        """Give a command that must succeed, and return what it printed."""
        code, output, complaint = run_here("--state", str(self.folder / "state"), *words)
        self.assertEqual(code, 0, complaint)
        return output

    def refused(self, *words: str) -> str:
        """Give a command that must be refused, and return the complaint."""
        code, _, complaint = run_here("--state", str(self.folder / "state"), *words)
        self.assertEqual(code, 1, complaint)
        return complaint

    def secret(self, text: str) -> str:
        """Return the number of a file descriptor from which a secret can be read."""
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        os.write(theirs, f"{text}\n".encode())
        os.close(theirs)
        return str(ours)

    def test_create(self) -> None:
        """What is made stays, and can be listed as text and JSON."""
        self.do("identity", "create", "alice@example.com")
        self.assertIn("alice@example.com", self.do("identity", "list"))
        (one,) = json.loads(self.do("identity", "list", "--json"))
        self.assertEqual(one["aor"], "alice@example.com")
        self.assertIn("there is an identity of", self.refused("identity", "create", "alice@example.com"))

    def test_config(self) -> None:
        """What is configured counts without a node, too: in the state folder, or in a file that is named."""
        words = ("identity", "create", "börje@example.com")
        self.assertIn("letters of ASCII", self.refused(*words))
        elsewhere = self.folder / "elsewhere.toml"
        elsewhere.write_text("[screen]\ninternational_names = true\n")
        self.do("--config", str(elsewhere), *words)
        self.assertIn("cannot be read", self.refused(*words, "--config", "/nowhere.toml"))

    def test_out(self) -> None:
        """A file is only its owner's, is not overwritten unasked, and is not printed as well."""
        self.do("identity", "create", "alice@example.com")
        out = self.folder / "backup"
        words = ("identity", "export", "--out", str(out))
        text = self.do(*words)
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)
        self.assertNotIn("BEGIN P2PSHIP", text)
        self.assertIn("BEGIN P2PSHIP IDENTITY", out.read_text())
        self.assertIn("is there already: name another file, or give --force", self.refused(*words))
        answer = json.loads(self.do(*words, "--force", "--json"))
        self.assertEqual((answer["file"], "content" in answer), (str(out), False))
        self.assertIn("cannot be written", self.refused("identity", "export", "--out", "/nowhere/backup"))

    def test_out_is_no_file(self) -> None:
        """What is no file is not replaced by one, whatever is forced: root could lose a device."""
        self.do("identity", "create", "alice@example.com")
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        words = ("identity", "export", "--out", str(pipe), "--force")
        self.assertIn("is no ordinary file", self.refused(*words))
        self.assertTrue(pipe.is_fifo())

    def test_backup_not_noted_in_vain(self) -> None:
        """When the file cannot be kept, nothing says that there is a backup."""
        self.do("identity", "create", "alice@example.com")
        self.refused("identity", "export", "--out", "/nowhere/backup")
        self.assertIn("no backup yet", self.do("identity", "status"))

    def test_standard_output(self) -> None:
        """Without a file the content is all that goes to standard output."""
        self.do("identity", "create", "alice@example.com")
        self.assertRegex(
            self.do("identity", "request"),
            r"^-----BEGIN CERTIFICATE REQUEST-----\n[^-]*\n-----END [A-Z ]*-----\n$",
        )

    def test_secrets(self) -> None:
        """A passphrase comes through a file descriptor: that of a backup, and that of the keys."""
        self.do("identity", "create", "alice@example.com")
        out = str(self.folder / "backup")
        self.do("identity", "export", "--encrypt", "--out", out, "--passphrase-fd", self.secret("horse"))
        self.do("passphrase", "set", "--passphrase-fd", self.secret("staple"))
        self.do("identity", "remove", "alice@example.com", "--yes", "--unlock-fd", self.secret("staple"))
        words = ("identity", "restore", out, "--passphrase-fd")
        self.assertIn("another one", self.refused("identity", "list", "--unlock-fd", self.secret("wrong")))
        self.refused(*words, self.secret("wrong"), "--unlock-fd", self.secret("staple"))
        text = self.do(*words, self.secret("horse"), "--unlock-fd", self.secret("staple"))
        self.assertIn("an identity of this node again", text)

    def test_no_secret(self) -> None:
        """What cannot be asked for is said, with the option that gives it."""
        self.do("identity", "create", "alice@example.com")
        complaint = self.refused("identity", "export", "--encrypt", "--passphrase-fd", "999")
        self.assertIn("the file descriptor 999 cannot be read", complaint)
        complaint = self.refused("identity", "export", "--encrypt", "--passphrase-fd", self.secret(""))
        self.assertIn("give its file descriptor with --passphrase-fd", complaint)
        complaint = self.refused(
            "identity", "export", "--encrypt", "--passphrase-fd", self.secret("x" * 2000)
        )
        self.assertIn("at most 1,024 octets", complaint)

    def test_other_encoding(self) -> None:
        """A terminal of another encoding is said to be one, and nothing is set."""

        def typed(prompt: str) -> str:
            return b"caf\xe9".decode()

        self.patch(sys, "stdin", SimpleNamespace(isatty=lambda: True))
        self.patch(getpass, "getpass", typed)
        self.assertIn("UTF-8", self.refused("passphrase", "set"))

    def test_warning(self) -> None:
        """What cannot be undone is not done unless it is said to be meant."""
        self.do("identity", "create", "alice@example.com")
        self.patch_stdin()
        complaint = self.refused("identity", "remove", "alice@example.com")
        self.assertIn("lost for good. Give --yes if that is meant", complaint)
        self.do("identity", "remove", "alice@example.com", "--yes")

    def test_warned_in_vain(self) -> None:
        """Nobody is asked whether it is meant when it cannot be done: what is named is looked for first."""
        self.do("identity", "create", "alice@example.com")
        self.patch_stdin()
        for words, wrong in (
            ("identity remove bob@example.com", "bob@example.com is not an identity of this node"),
            ("identity rotate bob@example.com", "bob@example.com is not an identity of this node"),
            ("contact forget bob@example.com", "alice@example.com has nothing on bob@example.com"),
            ("ca remove family", "there is no authority called family"),
            ("ca revoke bob@example.com", "no certificate that still holds was issued here for bob"),
            ("device revoke tablet", "alice@example.com has no device 'tablet'"),
        ):
            complaint = self.refused(*words.split())
            self.assertIn(wrong, complaint)
            self.assertNotIn("--yes", complaint)

    def test_warned_with_a_passphrase(self) -> None:
        """The passphrase of the keys is read once, though they are looked at before the question and after it."""
        self.do("identity", "create", "alice@example.com")
        self.do("passphrase", "set", "--passphrase-fd", self.secret("staple"))
        self.patch(sys, "stdin", SimpleNamespace(isatty=lambda: True))
        self.patch(builtins, "input", lambda prompt: "yes")
        self.do("identity", "remove", "alice@example.com", "--unlock-fd", self.secret("staple"))

    def test_nothing_there(self) -> None:
        """What only shows or ends something makes no state folder, and says that there is none, or nothing in it."""
        for verb in ("identity list", "contact list", "device list", "ca list", "passphrase status"):
            self.assertIn("nothing is kept in", self.refused(*verb.split()))
        self.assertEqual([*self.folder.iterdir()], [])
        (self.folder / "state").mkdir()
        self.refused("identity", "list")
        self.assertEqual([*(self.folder / "state").iterdir()], [])

    def patch_stdin(self) -> None:
        """Have no terminal on standard input, wherever the test runs."""
        nothing = open(os.devnull)  # noqa: SIM115 (it stays open as long as the test)
        self.addCleanup(nothing.close)
        self.patch(__import__("sys"), "stdin", nothing)

    def test_files(self) -> None:
        """A file that is not there, empty, or too large is refused in words."""
        empty, large = self.folder / "empty", self.folder / "large"
        empty.touch()
        with large.open("wb") as file:
            file.truncate(10_000_000)
        for path, words in (
            (empty, "is empty"),
            (large, "is too large"),
            (self.folder / "none", "cannot be read"),
        ):
            self.assertIn(words, self.refused("identity", "import", str(path)))
        self.assertIn("is not the answer of a CA", self.refused("identity", "import", "p2pship:answer:x1"))

    def test_in_use(self) -> None:
        """While another process has the folder, nothing is done beside it."""
        folder = StateFolder(self.folder / "state")
        self.addCleanup(folder.close)
        refused = self.refused("identity", "create", "alice@example.com")
        self.assertIn("is in use by process", refused)
        self.assertIn("wait if that is starting", refused)


class HelpTests(SynchronousTestCase):
    """What there is to type."""

    def test_every_verb(self) -> None:
        """Each noun and verb explains itself."""
        for noun in NOUNS:
            for verb in verbs(noun):
                if verb.hidden:
                    continue
                code, output, _ = run_here(noun, *verb.name.split(), "--help")
                self.assertNotRegex(output, r"--as (?!HIT)[A-Z]")
                self.assertEqual(code, 0, verb.command)
                self.assertIn("--json", output)


class OnlineTests(TestCase):
    """With a node, the node does it."""

    def setUp(self) -> None:
        self.state = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.state)
        self.asked: list[dict[str, Any]] = []
        server = ControlServer(IReactorUNIX(reactor), self.state, {"identity import": self.answer})
        server.startService()
        self.addCleanup(server.stopService)

    def answer(self, arguments: dict[str, Any]) -> object:
        """Answer as a node does."""
        self.asked.append(arguments)
        if len(self.asked) > 1:
            raise LocalError("that is enough")
        return {"items": [{"item": "certificate", "name": "a@b", "done": "installed", "warning": "look"}]}

    async def test_asked(self) -> None:
        """Its answer is printed, a file goes along, and its refusal is said; the folder is not touched."""
        words = ("--state", str(self.state), "identity", "import", "p2pship:answer:x1")
        done = await deferToThread(run_here, *words)
        self.assertEqual(done, (0, "certificate a@b: installed (look).\n", ""))
        self.assertEqual(self.asked, [{"file": "cDJwc2hpcDphbnN3ZXI6eDE="}])
        self.assertEqual(await deferToThread(run_here, *words), (1, "", "p2pship: that is enough\n"))
        self.assertEqual([path.name for path in self.state.iterdir()], ["control"])
