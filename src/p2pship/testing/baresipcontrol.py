"""The two connections over which baresip is driven: ``ctrl_tcp`` for commands and events, ``cons`` for what it shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineOnlyReceiver, NetstringReceiver
from twisted.python.failure import Failure

from p2pship.testing.programs import ProgramFailed

TEXT = re.compile(r"\r?<?sips?:([^\s>]+)>?: \"(.*)\"\r?")
"How the console shows a text that was received."


@dataclass(frozen=True)
class Event:
    """Something that happened, such as ``CALL_ESTABLISHED``."""

    type: str
    peer: str
    "the URI of the other side of the call; empty where there is none"
    call: str
    "the Call-ID; empty where there is none"
    param: str
    "a status and reason, a DTMF digit, ``offer`` or ``answer``"


@dataclass(frozen=True)
class Text:
    """A MESSAGE that was received."""

    sender: str
    "the address of record, without ``sip:``"
    text: str


class Control(NetstringReceiver):
    """Commands and their answers, told apart by a token, and events: JSON in netstrings."""

    def __init__(self, happened: Callable[[Event], None]) -> None:
        self._happened = happened
        self._tokens = count(1)
        self._waiting: dict[str, Deferred[str]] = {}

    def command(self, name: str, params: str) -> Deferred[str]:
        """Send a command; fires with the text of its answer, fails with ProgramFailed."""
        waiting: Deferred[str] = Deferred()
        if not self.connected:
            waiting.errback(ProgramFailed(f"baresip is not connected: {name} cannot be sent"))
            return waiting
        token = str(next(self._tokens))
        self._waiting[token] = waiting
        self.sendString(json.dumps({"command": name, "params": params, "token": token}).encode())
        return waiting

    def stringReceived(self, string: bytes) -> None:
        """Take an event or an answer."""
        fields = json.loads(string)
        if fields.get("event"):
            words = (fields.get(name, "") for name in ("type", "peeruri", "id", "param"))
            self._happened(Event(*words))
            return
        waiting = self._waiting.pop(fields["token"])
        if waiting.called:  # it was given up
            return
        if fields["ok"]:
            waiting.callback(fields["data"])
        else:
            waiting.errback(ProgramFailed(f"baresip refused: {fields['data'].strip()}"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Fail all commands that were not answered."""
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            if not one.called:
                one.errback(ProgramFailed("baresip has ended"))


class Console(LineOnlyReceiver):
    """What baresip shows to people; only the texts that it received are wanted."""

    delimiter = b"\n"

    def __init__(self, received: Callable[[Text], None]) -> None:
        self._received = received

    def lineReceived(self, line: bytes) -> None:
        """Take a line, and pass it on if it is a text."""
        found = TEXT.fullmatch(line.decode("utf-8", "replace"))
        if found:
            self._received(Text(found[1], found[2]))
