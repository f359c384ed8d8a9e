"""What baresip says and shows, with its own words of version 1.0.0."""

from __future__ import annotations

import json

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from p2pship.testing.baresipcontrol import Console, Control, Event, Text
from p2pship.testing.programs import ProgramFailed

CLOSED = (
    b'190:{"event":true,"type":"CALL_CLOSED","class":"call","accountaor":"sip:alice@example.com","direction":"outgoing",'
    b'"peeruri":"sip:bob@example.org","id":"5c7d50fe594bc2fc","param":"403 Forbidden"},'
)
REGISTERING = (
    b'91:{"event":true,"type":"REGISTERING","class":"register","accountaor":"sip:alice@example.com"},'
)


class ControlTests(SynchronousTestCase):
    """Commands, answers and events."""

    def setUp(self) -> None:
        """Connect."""
        self.events: list[Event] = []
        self.control = Control(self.events.append)
        self.transport = StringTransport()
        self.control.makeConnection(self.transport)

    def answer(self, token: str, ok: bool, data: str) -> None:
        """Let baresip answer a command."""
        text = json.dumps({"response": True, "ok": ok, "data": data, "token": token}).encode()
        self.control.dataReceived(b"%d:%s," % (len(text), text))

    def test_events(self) -> None:
        """Events are passed on, byte by byte as they come, those without a call with empty words."""
        for octet in CLOSED + REGISTERING:
            self.control.dataReceived(bytes([octet]))
        closed = Event("CALL_CLOSED", "sip:bob@example.org", "5c7d50fe594bc2fc", "403 Forbidden")
        self.assertEqual(self.events, [closed, Event("REGISTERING", "", "", "")])

    def test_command(self) -> None:
        """A command is sent with a token."""
        self.control.command("dial", "sip:bob@example.com")
        length, _, text = self.transport.value().partition(b":")
        self.assertEqual(len(text), int(length) + 1)
        self.assertEqual(
            json.loads(text[:-1]), {"command": "dial", "params": "sip:bob@example.com", "token": "1"}
        )

    def test_answers(self) -> None:
        """Answers find their commands by the token."""
        first, second = self.control.command("help", ""), self.control.command("nonsense", "")
        self.answer("2", False, "command not found (nonsense)\n")
        self.assertIn("not found", str(self.failureResultOf(second, ProgramFailed).value))
        self.assertNoResult(first)
        self.answer("1", True, "--- Help ---")
        self.assertEqual(self.successResultOf(first), "--- Help ---")

    def test_answer_after_giving_up(self) -> None:
        """An answer to a command that was given up is dropped."""
        waiting = self.control.command("help", "").addErrback(lambda failure: None)
        waiting.cancel()
        self.answer("1", True, "")
        self.assertIsNone(self.successResultOf(waiting))

    def test_not_connected(self) -> None:
        """A command before the connection or after it fails, and so does one that was not answered."""
        self.failureResultOf(Control(self.events.append).command("help", ""), ProgramFailed)
        unanswered = self.control.command("help", "")
        self.control.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(unanswered, ProgramFailed)


class ConsoleTests(SynchronousTestCase):
    """Texts among all that is shown."""

    def shown(self, octets: bytes) -> list[Text]:
        """Return the texts in what was shown."""
        texts: list[Text] = []
        console = Console(texts.append)
        console.makeConnection(StringTransport())
        console.dataReceived(octets)
        return texts

    def test_text(self) -> None:
        """A text is found with its sender, its quotes and its letters."""
        shown = '\rsip:a@127.0.0.1:15000: "say "ü": now"\n'.encode()
        self.assertEqual(self.shown(shown), [Text("a@127.0.0.1:15000", 'say "ü": now')])

    def test_other_lines(self) -> None:
        """Nothing else is taken for a text."""
        shown = b"call: connecting to 'sip:b@127.0.0.1:15100'..\nsip:b@example.org: session closed: 403 Forbidden\n\n"
        self.assertEqual(self.shown(shown), [])
