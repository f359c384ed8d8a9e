"""What a user gets works: the wheel in a clean environment, ``make env`` on a new machine, and the documents' commands."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from itertools import takewhile
from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from p2pship.cli.command import make_parser
from p2pship.commands.table import NOUNS, all_verbs
from p2pship.sections import sections
from p2pship.testing.programs import free_ports

ROOT = Path(__file__).resolve().parents[1]

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "_trial_temp*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", "dropin.cache"
)
"What a fresh clone does not have."

KEPT = ("PIP_", "SSL_CERT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"The environment that a new machine's pip may need to reach its index."

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

PATIENCE = 120
"Seconds for a node to start or stop on a busy machine."


def bare_environment(home: Path) -> dict[str, str]:
    """Return the environment of somebody who has just logged in to a new machine."""
    kept = {name: value for name, value in os.environ.items() if name.upper().startswith(KEPT)}
    python = Path(getattr(sys, "_base_executable", sys.executable)).parent
    return {**kept, "HOME": str(home), "PATH": f"/usr/bin:/bin:{python}"}


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a program that must succeed, and return what it printed."""
    # The workers of trial -j get a PYTHONPATH, which would show a new environment the packages of this one.
    plain = {name: value for name, value in (env or os.environ).items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=plain, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise AssertionError(f"{shlex.join(map(str, command))} failed with {done.returncode}:\n{done.stdout}")
    return done.stdout


class WheelTests(SynchronousTestCase):
    """The package as pip installs it."""

    def test_clean_environment(self) -> None:
        """It installs what it needs, has its plug-ins beside Twisted's, and works from any folder."""
        top = Path(self.mktemp()).absolute()
        shutil.copytree(ROOT, top / "source", ignore=LEFT_OUT)
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", top, "./source", cwd=top)
        (wheel,) = top.glob("*.whl")
        names = set(zipfile.ZipFile(wheel).namelist())
        cards = {name for name in names if name.startswith("twisted/")}
        self.assertEqual(cards, {"twisted/plugins/p2pship_dropins.py", "twisted/plugins/p2pship_service.py"})
        self.assertIn("p2pship/py.typed", names)
        run(sys.executable, "-m", "venv", top / "venv", cwd=top)
        scripts = top / "venv" / "bin"
        run(scripts / "python", "-m", "pip", "install", "--quiet", wheel, cwd=top)
        self.assertIn("--sip-port=", run(scripts / "twistd", "p2pship", "--help", cwd=top))
        documented = run(scripts / "p2pship", "config", cwd=top)
        self.assertEqual(documented, (ROOT / "etc" / "p2pship.toml").read_text(encoding="utf-8"))


class EnvironmentTests(SynchronousTestCase):
    """``make env`` and what the README says to do after it."""

    def test_new_machine(self) -> None:
        """A fresh clone, a new home and nothing in the environment: the README's commands lead to a node that answers."""
        top = Path(self.mktemp()).absolute()
        clone, home = top / "a clone", top / "home"
        home.mkdir(parents=True)
        shutil.copytree(ROOT, clone, ignore=LEFT_OUT)
        environment = bare_environment(home)
        run("make", "env", cwd=clone, env=environment)
        self.assertEqual(
            run("make", "env", cwd=clone, env=environment), "make: Nothing to be done for 'env'.\n"
        )
        sip = free_ports(4)
        node = subprocess.Popen(
            ["make", "run", f"ARGS=--sip-port {sip} --set lookup.lan.port={sip + 2} --set bearer.tls.port=0"],
            cwd=clone,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(end, node)
        assert node.stdout is not None
        for line in node.stdout:
            if line.startswith("What is going on"):
                break
        else:
            self.fail("the node ended before it said that it was running")
        for command in commands(ROOT / "README.md"):
            if command.startswith(".venv/bin/p2pship"):
                done = subprocess.run(
                    shlex.split(command),
                    cwd=clone,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=PATIENCE,
                )
                self.assertIn(done.returncode, (0, 1), f"{command}: {done.stderr}")

    def env_with(self, python: str) -> subprocess.CompletedProcess[str]:
        """Run .ci/env with a script in place of Python."""
        fake = Path(self.mktemp()).absolute()
        fake.write_text(f"#!/bin/sh\n{python}\n")
        fake.chmod(0o755)
        environment = {**os.environ, "PYTHON": str(fake)}
        return subprocess.run([ROOT / ".ci" / "env"], env=environment, capture_output=True, text=True)

    def test_old_python(self) -> None:
        """Where Python is too old, what to install is named."""
        done = self.env_with("exit 1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("needs Python 3.11 or newer", done.stderr)
        self.assertIn("apt-get install python3 python3-venv", done.stderr)

    def test_no_venv(self) -> None:
        """Where Python's venv is missing, the package that has it is named."""
        done = self.env_with('case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; esac')
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get install python3-venv (or python3.12-venv)", done.stderr)


def end(process: subprocess.Popen[str]) -> None:
    """Stop a program and whatever it started, as Ctrl-C does."""
    os.killpg(process.pid, signal.SIGINT)
    with process:
        process.wait(PATIENCE)


def commands(document: Path) -> list[str]:
    """Return the commands of a document: the lines of its indented blocks, without comments."""
    blocks = re.findall(r"^    (\S.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return [block.partition("  #")[0].rstrip() for block in blocks]


def mentioned(document: Path) -> set[str]:
    """Return the ``p2pship`` commands between backquotes and in fences of a document.

    In the reference ``p2pship something v1`` may also be a label in a format: there only what begins with a noun, and ends with
    no version, counts.
    """
    text = document.read_text(encoding="utf-8")
    spans = re.findall(r"`(p2pship\s[^`]+)`", text) + re.findall(r"^ +(p2pship .+)$", text, re.MULTILINE)
    found = {" ".join(span.partition("  #")[0].split()) for span in spans}
    if document.parent.name != "reference":
        return found
    return {each for each in found if each.split()[1] in NOUNS and not re.search(r" v[0-9]+$", each)}


class DocumentTests(SynchronousTestCase):
    """What the documents say to type exists, and what they link to is there."""

    def all_commands(self, *words: str) -> list[list[str]]:
        """Return the arguments of every command that begins with one of these words."""
        return [
            shlex.split(command)
            for document in DOCUMENTS
            for command in commands(document)
            if command.split()[0] in words
        ]

    def test_make(self) -> None:
        """Every ``make`` target is in the Makefile."""
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
        used = {command[1] for command in self.all_commands("make")}
        self.assertEqual(used - targets, set())
        self.assertLessEqual({"env", "run", "check", "test"}, used)

    def test_p2pship(self) -> None:
        """Every ``p2pship`` command is one."""
        used = self.all_commands("p2pship", ".venv/bin/p2pship")
        for command in used:
            words = command[1 : command.index(">")] if ">" in command else command[1:]
            self.assertTrue(callable(make_parser().parse_args(words).run))
        self.assertGreater(len(used), 5)

    def test_mentioned(self) -> None:
        """Every ``p2pship`` command that is mentioned in a sentence, or shown in a fence, is one, and has those options."""
        used = set().union(*map(mentioned, DOCUMENTS))
        for command in used:
            self.assert_command(command)
        self.assertGreater(len(used), 20)

    def assert_command(self, command: str) -> None:
        """Check the noun, the verb and the options of a command; its arguments may be left out."""
        words = re.sub(r"^p2pship (--state \S+ ?)?", "", command).split()
        if not words:
            return
        most = 3 if " ".join(words[:3]) in {verb.command for verb in all_verbs()} else 2
        path = list(takewhile(re.compile(r"[a-z]+$").match, words[:most]))
        with (
            redirect_stdout(StringIO()) as help,
            redirect_stderr(StringIO()),
            self.assertRaises(SystemExit) as ended,
        ):
            make_parser().parse_args([*path, "--help"])
        self.assertEqual(ended.exception.code, 0, command)
        for option in re.findall(r"--[a-z-]+", " ".join(words)):
            self.assertIn(option, help.getvalue(), command)

    def test_twistd(self) -> None:
        """Every ``twistd p2pship`` command has options that there are."""
        from p2pship.tap import Options

        used = [command for command in self.all_commands("twistd") if "p2pship" in command]
        for command in used:
            options = [
                word
                for word in command[command.index("p2pship") + 1 :]
                if word not in ("-c", "~/p2pship.toml")
            ]
            try:
                Options().parseOptions(options)
            except UsageError as error:
                self.fail(f"{shlex.join(command)}: {error}")
        self.assertGreater(len(used), 2)

    def test_links(self) -> None:
        """Every link to a file leads to one."""
        broken = [
            f"{document.relative_to(ROOT)}: {target}"
            for document in DOCUMENTS
            for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
            if not (document.parent / target).exists()
        ]
        self.assertEqual(broken, [])

    def test_plugins_are_said(self) -> None:
        """The security page names every bearer and lookup that is on by default."""
        text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
        for name in sections():
            kind, _, plugin = name.partition(".")
            if kind in ("lookup", "bearer"):
                self.assertIn(plugin.upper(), text.upper())

    def test_attacks(self) -> None:
        """Every test that the security page names exists, and says in its docstring what it is about."""
        text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
        named = re.findall(r"`(tests(?:\.\w+)+)\.(\w+Tests)\.(test_\w+)`", text)
        self.assertGreater(len(named), 50)
        for module, case, test in named:
            found = getattr(getattr(importlib.import_module(module), case, None), test, None)
            self.assertTrue(found is not None and found.__doc__, f"{module}.{case}.{test}")
