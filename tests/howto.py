"""The commands of a document, typed by those whose names stand behind them, each at a node of their own.

A command is an indented line ``p2pship …  # NAME``. Words in capitals stand for what an earlier command printed. All
share one folder for the files that they send each other.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThread

from p2pship.testing.nodeprocess import NodeProcess
from p2pship.testing.phone import RING, Answering, Phone
from p2pship.testing.programs import free_ports

HOWTO = Path(__file__).resolve().parents[1] / "docs" / "howto"

PATIENCE = 60.0
"Seconds for one command on a busy machine."

_COMMAND = re.compile(r"^    p2pship (.*?)  # (\w+)$", re.MULTILINE)


class Typed:
    """One command while it runs and after."""

    def __init__(self, words: list[str], state: Path, folder: Path, keys: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "p2pship.cli", "--state", str(state), *words],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(keys)
        self._process.stdin.close()
        self._process.stdin = None  # so that communicate does not write again
        self._words = shlex.join(words)
        self._read = ""

    def until(self, pattern: str) -> str:
        """Return the first group of what it prints, as soon as it does."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._read += line
            found = re.search(pattern, self._read)
            if found:
                return found[1]
        raise AssertionError(f"`p2pship {self._words}` did not print {pattern}: {self._read}{self.output()}")

    def output(self) -> str:
        """Wait until it has ended, and return all that it printed; it must succeed."""
        output, complaints = self._process.communicate(timeout=PATIENCE)
        text = self._read + output
        if self._process.returncode:
            raise AssertionError(f"`p2pship {self._words}` failed: {text}{complaints}")
        return text

    def kill(self) -> None:
        """End it, in whatever state it is."""
        self._process.kill()
        self._process.communicate()


class Howto:
    """A document, and a node for each who types in it."""

    def __init__(self, document: str, folder: Path, *others: str) -> None:
        """Read a document of docs/howto; ``others`` have nodes too, though they type nothing in it."""
        text = (HOWTO / document).read_text(encoding="utf-8")
        self._waiting = _COMMAND.findall(text)
        self._folder = folder
        folder.mkdir(parents=True)
        names = dict.fromkeys([*(who for _, who in self._waiting), *others])
        port = free_ports(1)
        self.nodes = {name: NodeProcess(reactor, folder / name, port) for name in names}
        "each node, by the name of who types there"
        self._typed: list[Typed] = []
        self._phones: list[Phone] = []

    def start(self) -> Deferred[Any]:
        """Start all nodes."""
        return DeferredList([node.start() for node in self.nodes.values()], fireOnOneErrback=True)

    async def stop(self) -> None:
        """Stop all nodes, and what still runs."""
        for typed in self._typed:
            typed.kill()
        await DeferredList([phone.stop() for phone in self._phones])
        await DeferredList([node.stop() for node in self.nodes.values()])

    def begin(self, begins: str, keys: str = "", **stand_ins: str) -> Typed:
        """Type the next command, which must begin so; ``keys`` is what the person types when it asks."""
        command, who = self._waiting.pop(0)
        assert command.startswith(begins), f"the next command is `{command}`, not `{begins}`"
        return self.begin_freely(
            who, *(stand_ins.get(word, word) for word in shlex.split(command)), keys=keys
        )

    def begin_freely(self, who: str, *words: str, keys: str = "") -> Typed:
        """Type what does not stand in the document."""
        typed = Typed(list(words), self.nodes[who].state, self._folder, keys)
        self._typed.append(typed)
        return typed

    async def type_freely(self, who: str, *words: str) -> str:
        """Type what does not stand in the document, and return what it printed."""
        output: str = await deferToThread(self.begin_freely(who, *words).output)
        return output

    async def type(self, begins: str, keys: str = "", **stand_ins: str) -> str:
        """Type the next command, and return what it printed."""
        output: str = await deferToThread(self.begin(begins, keys, **stand_ins).output)
        return output

    async def type_all(self, keys: Callable[[str], str]) -> list[str]:
        """Type the rest; ``keys`` says what is typed into each command."""
        return [await self.type(command, keys(command)) for command, _ in list(self._waiting)]

    async def phone(self, who: str, aor: str, answering: Answering = RING) -> Phone:
        """Register somebody's phone at their node."""
        phone = Phone(reactor, aor, proxy=self.nodes[who].proxy, answering=answering)
        phone.start()
        self._phones.append(phone)
        await phone.register()
        return phone

    @property
    def done(self) -> bool:
        """Whether every command was typed."""
        return not self._waiting
