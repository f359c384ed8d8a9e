"""The ``p2pship`` command asks over the real socket and says what to do when it cannot."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorUNIX
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from p2pship.cli.client import ask
from p2pship.cli.command import main
from p2pship.cli.common import as_json
from p2pship.cli.report import calls_text, find_text, recent_text, status_text
from p2pship.cli.story import story_text
from p2pship.config import print_documented
from p2pship.control import Command, ControlServer
from p2pship.errors import RemoteError
from p2pship.sections import documented_sections
from tests.statuses import CALLS, FOUND, NOT_FOUND, RECENT, STATUS, STORY


class CommandTests(TestCase):
    """Each command against a control socket."""

    def setUp(self) -> None:
        self.state = Path(tempfile.mkdtemp())  # mktemp's path can be too long for a socket
        self.addCleanup(shutil.rmtree, self.state)

    def serve(self, **commands: Command) -> None:
        """Answer these commands until the test ends."""
        names = {name.replace("_", " "): command for name, command in commands.items()}
        server = ControlServer(IReactorUNIX(reactor), self.state, names)
        server.startService()
        self.addCleanup(server.stopService)

    async def run_command(self, *arguments: str) -> tuple[int, str, str]:
        """Run it in a thread, since it blocks; return its exit code, output and complaints."""
        return await deferToThread(run_here, "--state", str(self.state), *arguments)

    async def test_answers(self) -> None:
        """Each command prints the node's answer as text, or as JSON."""
        self.serve(
            status=returning(STATUS),
            find=returning(FOUND),
            calls=returning(CALLS),
            calls_recent=returning([]),
        )
        for words, result, text in (
            (["status"], STATUS, status_text(STATUS)),
            (["find", "bob@example.com"], FOUND, find_text(FOUND)),
            (["calls"], CALLS, calls_text(CALLS)),
        ):
            self.assertEqual(await self.run_command(*words), (0, f"{text}\n", ""))
            code, output, _ = await self.run_command(*words, "--json")
            self.assertEqual((code, json.loads(output)), (0, result))
            self.assertEqual(await self.run_command("--json", *words), (0, output, ""))

    async def test_calls(self) -> None:
        """Without more, the calls under way and the latest that are over; or only those, or the story of one."""
        asked: list[dict[str, Any]] = []

        def recent(arguments: dict[str, Any]) -> object:
            asked.append(arguments)
            return RECENT

        self.serve(calls=returning(CALLS), calls_recent=recent, calls_why=returning(STORY))
        code, output, _ = await self.run_command("calls")
        self.assertEqual((code, output), (0, f"{calls_text(CALLS)}\n\n{recent_text(RECENT[:1])}\n"))
        self.assertEqual(await self.run_command("calls", "--recent"), (0, f"{recent_text(RECENT)}\n", ""))
        _, output, _ = await self.run_command("calls", "--recent", "7", "--json")
        self.assertEqual((json.loads(output), asked), (RECENT, [{}, {"number": 20}, {"number": 7}]))
        self.assertEqual(await self.run_command("calls", "--why", "k3x"), (0, f"{story_text(STORY)}\n", ""))
        _, output, _ = await self.run_command("calls", "--why", "k3x", "--json")
        self.assertEqual(json.loads(output), STORY)
        self.assertEqual(await self.run_command("calls", "--why"), (0, f"{story_text(STORY)}\n", ""))
        code, _, complaint = await self.run_command("calls", "--why", "k3x", "--recent")
        self.assertEqual((code, "not allowed with" in complaint), (2, True))
        for wrong in ("0", "-3", "many"):
            code, _, complaint = await self.run_command("calls", f"--recent={wrong}")
            self.assertEqual((code, f"'{wrong}': give how many calls, 1 or more" in complaint), (2, True))
        self.assertEqual(len(asked), 3)

    async def test_find_asks_for_the_name(self) -> None:
        """The name is passed on; a person who is not found is exit code 1."""
        asked: list[dict[str, Any]] = []

        def find(arguments: dict[str, Any]) -> object:
            asked.append(arguments)
            return NOT_FOUND

        self.serve(find=find)
        code, output, _ = await self.run_command("find", "bob@example.com")
        self.assertEqual((code, asked), (1, [{"aor": "bob@example.com", "trace": False, "follow": False}]))
        await self.run_command("find", "--trace", "bob@example.com", "--json")
        self.assertEqual(asked[1:], [{"aor": "bob@example.com", "trace": True, "follow": False}])
        self.assertIn("was not found", output)

    async def test_find_followed(self) -> None:
        """With a trace each step is printed as the node tells it, and what was found afterwards."""
        step = {"at": 0.25, "lookup": "lan", "step": "asked", "words": "where everybody looks"}

        def find(arguments: dict[str, Any]) -> object:
            self.assertTrue(arguments["follow"])
            return lambda tell: tell(step) or FOUND

        self.serve(find=find)
        expected = f"0.250 s  lan       asked       where everybody looks\n\n{find_text(FOUND)}\n"
        self.assertEqual(await self.run_command("find", "--trace", "bob@example.com"), (0, expected, ""))

    async def test_doctor(self) -> None:
        """What is not well is exit code 1; where all is well, it is 0."""
        finding = {"subject": "clock", "well": True, "words": "so it is"}
        self.serve(doctor=lambda arguments: [finding])
        for well, expected in ((True, 0), (False, 1)):
            finding["well"] = well
            code, output, _ = await self.run_command("doctor")
            self.assertEqual((code, "so it is" in output), (expected, True))

    async def test_refused(self) -> None:
        """What the node refuses is said in its words, with exit code 1."""

        def refuse(arguments: dict[str, Any]) -> object:
            raise RemoteError("bob is not a name: write bob@example.com")

        self.serve(find=refuse)
        complaint = "p2pship: bob is not a name: write bob@example.com\n"
        self.assertEqual(await self.run_command("find", "bob"), (1, "", complaint))

    async def test_no_node(self) -> None:
        """Without a node, what to do is said, with exit code 3."""
        code, output, complaint = await self.run_command("status")
        self.assertEqual((code, output), (3, ""))
        self.assertIn(f"no node is running with state {self.state}: start one with `make run` or", complaint)

    async def test_no_answer(self) -> None:
        """A node that does not answer is not waited for without end."""
        self.serve(status=lambda arguments: Deferred())
        error = await self.assertFailure(deferToThread(ask, self.state, "status", None, 0.1), RemoteError)
        self.assertIn("the node does not answer", str(error))

    async def test_wrong_usage(self) -> None:
        """A wrong command line is exit code 2, and --help is the same for everybody."""
        for words in ([], ["frobnicate"], ["find"], ["identity"]):
            code, _, complaint = await self.run_command(*words)
            self.assertEqual((code, "usage: p2pship" in complaint), (2, True))
        code, output, _ = await self.run_command("--help")
        self.assertEqual(code, 0)
        self.assertIn("Exit codes:", output)

    async def test_too_many_words(self) -> None:
        """Words that are too many are told by the command that they were given to, with the options that take some."""
        words = ("contact", "add", "bob@example.com", "Bob", "Builder")
        code, _, complaint = await self.run_command(*words)
        self.assertEqual((code, "usage: p2pship contact add" in complaint), (2, True))
        told = "'Bob Builder' is too much: there is --name VALUE, --note VALUE, --own VALUE, with a value of several words in quotes"
        self.assertIn(told, complaint)
        _, output, _ = await self.run_command(*words, "--json")
        self.assertIn("--name VALUE", json.loads(output)["error"])
        _, _, complaint = await self.run_command("status", "--verbose")
        self.assertIn("p2pship: '--verbose' is too much; `p2pship status --help` says more", complaint)

    async def test_what_is_wrong_in_json(self) -> None:
        """With --json, what is wrong is one JSON document as well, with the same exit code: usage, refusal, no node."""
        code, output, complaint = await self.run_command("status", "--json")
        self.assertEqual((code, complaint), (3, ""))
        self.assertIn("no node is running", json.loads(output)["error"])

        def refuse(arguments: dict[str, Any]) -> object:
            raise RemoteError("bob is not a name: write bob@example.com")

        self.serve(find=refuse)
        error = f"{as_json({'error': 'bob is not a name: write bob@example.com'})}\n"
        self.assertEqual(await self.run_command("find", "bob", "--json"), (1, error, ""))
        self.assertEqual(await self.run_command("--json", "find", "bob"), (1, error, ""))
        for words, wrong in (
            ([], "COMMAND"),
            (["find"], "AOR"),
            (["identity", "frob"], "frob"),
            (["status", "--frob"], "--frob"),
        ):
            code, output, complaint = await self.run_command(*words, "--json")
            self.assertEqual((code, complaint), (2, ""))
            self.assertIn(wrong, json.loads(output)["error"])

    async def test_config(self) -> None:
        """The documented configuration is printed whole."""
        text = print_documented(documented_sections())
        self.assertEqual(await self.run_command("config"), (0, text, ""))
        self.assertEqual(
            await self.run_command("config", "--json"), (0, f"{as_json({'content': text})}\n", "")
        )


def returning(result: object) -> Command:
    """Return a command with this answer."""
    answer: Callable[[dict[str, Any]], object] = lambda arguments: result  # noqa: E731 (the annotation is the point)
    return answer


def run_here(*arguments: str) -> tuple[int, str, str]:
    """Run the command in this process."""
    output, complaints = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(complaints):
        try:
            code = main(arguments)
        except SystemExit as exit:
            code = int(exit.code or 0)
    return code, output.getvalue(), complaints.getvalue()
