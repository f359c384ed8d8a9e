"""``twistd p2pship`` understands its options, and says in words why it cannot start."""

from __future__ import annotations

import io
import os
import select
from functools import partial
from pathlib import Path
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, Logger, LogPublisher, formatEvent
from twisted.python.failure import Failure
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from p2pship import tap
from p2pship.banner import banner
from p2pship.config import ANSWERS_FILE, default_state
from p2pship.control import ControlServer
from p2pship.errors import LocalError
from p2pship.lookup.mainline import consent
from p2pship.lookup.mainline.settings import MainlineSettings
from p2pship.node import Node
from p2pship.sip.settings import SIPSettings
from p2pship.storage.vault import Vault
from p2pship.tap import TRACEBACKS, TRACEBACKS_SPAN, NodeService, Options, log_little
from p2pship.trust.pages import MOST_UNDERWAY
from p2pship.trust.reach import MOST_RESOLVED
from tests.lookup.mainline.test_consent import Interrupted, Terminal
from tests.statuses import STATUS
from tests.storage.passphrases import lock

reactor = cast(Any, _reactor)


class OptionsTests(SynchronousTestCase):
    """The command line becomes a state folder and a configuration."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir()

    def parse(self, *arguments: str) -> Options:
        options = Options()
        options.parseOptions(["--state", str(self.state), *arguments])
        return options

    def sip(self, *arguments: str) -> SIPSettings:
        return self.parse(*arguments).config.get(SIPSettings)

    def test_nothing(self) -> None:
        """Without options, the state folder is the person's own and every option has its default."""
        options = Options()
        self.assertEqual(options.state, default_state())
        self.assertEqual(self.sip(), SIPSettings())

    def test_passphrase(self) -> None:
        """The passphrase is read while the command line is, from the descriptor; and only if the keys have one."""
        self.assertIsNone(self.parse("--passphrase-fd", "987654").unlock)
        lock(Vault.open(self.state), b"open, please")
        reading, writing = os.pipe()
        os.write(writing, b"open, please\n")
        os.close(writing)
        unlock = self.parse("--passphrase-fd", str(reading)).unlock
        assert unlock is not None
        self.assertEqual(unlock(), b"open, please")
        self.assertRaises(SystemExit, self.parse, "--passphrase-fd", "987654")
        for bad in ("-1", "x"):
            self.assertRaises(UsageError, self.parse, "--passphrase-fd", bad)

    def test_relative_state(self) -> None:
        """A relative folder is made absolute at once: twistd may change its own."""
        options = Options()
        options.parseOptions(["--state", "somewhere"])
        self.assertEqual(options.state, Path.cwd() / "somewhere")

    def test_file_of_the_state_folder(self) -> None:
        """The file in the state folder is read if it is there, unless another is named."""
        (self.state / "p2pship.toml").write_text("[sip]\nport = 5071\n")
        self.assertEqual(self.sip().port, 5071)
        other = self.state / "other.toml"
        other.write_text("[sip]\nport = 5072\n")
        self.assertEqual(self.sip("-c", str(other)).port, 5072)

    def test_folder_that_cannot_be_looked_into(self) -> None:
        """A state folder of somebody else is no traceback here: who opens it says why it cannot be used."""
        self.state /= "x" * 300  # which not even root can look into
        self.assertEqual(self.sip(), SIPSettings())

    def test_overrides(self) -> None:
        """--set wins over the file and may be repeated; --sip-port is one of its kind."""
        (self.state / "p2pship.toml").write_text("[sip]\nport = 5071\n")
        settings = self.sip("--set", "sip.port=5073", "--set", "sip.domain=example.org")
        self.assertEqual((settings.port, settings.domain), (5073, "example.org"))
        self.assertEqual(self.sip("--sip-port", "5074").port, 5074)

    def test_wrong(self) -> None:
        """What is wrong with the configuration is said in words, without a traceback."""
        stop = self.assertRaises(SystemExit, self.parse, "--set", "sip.prot=1", "--sip-port", "high")
        self.assertEqual(
            stop.code,
            "p2pship cannot start:\n"
            "--set: [sip] has no option prot: did you mean port?\n"
            '--set: [sip] port = "high": give a whole number',
        )
        self.assertIn(
            "missing.toml cannot be read",
            str(self.assertRaises(SystemExit, self.parse, "-c", "missing.toml")),
        )
        self.assertRaises(UsageError, self.parse, "--frobnicate")

    def test_threads(self) -> None:
        """Strangers whose domains do not resolve leave threads to others, however many pages of them are asked for."""
        options = self.parse()
        self.patch(options, "ask", lambda *_: "")
        self.patch(tap, "log_little", lambda _: None)
        self.patch(tap, "Node", lambda *_, **__: self.parse("--set", "no"))
        before = reactor.getThreadPool().max
        self.addCleanup(reactor.suggestThreadPoolSize, before)
        self.assertRaises(SystemExit, tap.makeService, options)
        left = reactor.getThreadPool().max - MOST_UNDERWAY - MOST_RESOLVED
        self.assertGreaterEqual(left, before)

    def test_asked(self) -> None:
        """What the person answers at the terminal holds for this start; Ctrl-C ends it in words."""
        self.patch(consent, "find_spec", lambda name: name)
        self.patch(select, "select", lambda *given: given[:3])
        self.assertRaises(SystemExit, self.parse().ask, Interrupted(), Terminal())
        options = self.parse()
        self.patch(tap, "sections", lambda: self.fail("what is broken would be told again"))
        self.assertEqual(options.ask(Terminal("yes\n"), Terminal()), "")
        self.assertTrue(options.config.get(MainlineSettings).enabled)
        (self.state / ANSWERS_FILE).write_text("no\n")
        stop = self.assertRaises(SystemExit, options.ask, Terminal(), Terminal())
        self.assertIn("p2pship cannot start", str(stop.code))


class FakeNode(Service):
    """Starts when the test says so."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.started: Deferred[None] = Deferred()

    def startService(self) -> None:
        if self.error is not None:
            raise self.error
        super().startService()

    def when_started(self) -> Deferred[None]:
        return self.started

    def status(self) -> dict[str, Any]:
        return dict(STATUS)


class FakeControl(Service):
    """A control socket that only knows whether it listens."""


class TracebackTests(SynchronousTestCase):
    """The log is not filled with tracebacks."""

    def test_few(self) -> None:
        """Of each kind and place a few are logged in a minute, and then how many more there were; all else is logged but for what only debugging needs."""
        clock, seen = Clock(), list[LogEvent]()
        publisher = LogPublisher(cast(ILogObserver, seen.append))
        log_little(publisher, clock.seconds)
        failing = Logger("sip", observer=publisher)
        for number in range(1_000):
            failing.failure("it failed", Failure(ZeroDivisionError(number)))
            failing.info("all well")
            failing.debug("for who mends it")
        for _ in range(TRACEBACKS):  # as many as may be: nothing is said of more
            failing.failure("it failed", Failure(KeyError()))
        clock.advance(TRACEBACKS_SPAN)
        failing.failure("it failed", Failure(ZeroDivisionError()))
        failures = [event["log_failure"].type for event in seen if "log_failure" in event]
        few = [ZeroDivisionError] * TRACEBACKS + [KeyError] * TRACEBACKS
        self.assertEqual(failures, [*few, ZeroDivisionError])
        texts = [formatEvent(event) for event in seen if "log_failure" not in event]
        left_out = f"and {1_000 - TRACEBACKS} more tracebacks of ZeroDivisionError in sip"
        self.assertEqual(texts, ["all well"] * 1_000 + [left_out])


class NodeServiceTests(SynchronousTestCase):
    """The service that twistd runs."""

    def service(self, node: FakeNode) -> NodeService:
        self.reactor = StoppedReactor()
        self.control = FakeControl()
        self.output = io.StringIO()
        self.failures: list[int] = []
        control = cast(ControlServer, self.control)
        return NodeService(
            self.reactor, cast(Node, node), control, self.output, partial(self.failures.append, 1)
        )

    def test_started(self) -> None:
        """The banner is printed when the node has started, not before."""
        node = FakeNode()
        self.service(node).startService()
        self.assertTrue(self.control.running)
        self.assertEqual(self.output.getvalue(), "")
        node.started.callback(None)
        self.assertIn(banner(STATUS).partition("What is going on")[0], self.output.getvalue())

    def test_cannot_start(self) -> None:
        """A node that refuses to start ends the program in its words, and no control socket is made."""
        service = self.service(FakeNode(LocalError("the state folder is in use by process 7")))
        stop = self.assertRaises(SystemExit, service.startService)
        self.assertEqual(stop.code, "p2pship cannot start: the state folder is in use by process 7")
        self.assertFalse(self.control.running)

    def test_cannot_start_later(self) -> None:
        """A node that finds later that it cannot start stops the program, which has failed, with a line in the log."""
        node = FakeNode()
        self.service(node).startService()
        node.started.errback(LocalError("no port is free"))
        for run, positional, keywords in self.reactor.whenRunningHooks:
            run(*positional, **keywords)
        self.assertEqual((self.reactor.stops, self.failures, self.output.getvalue()), (1, [1], ""))

    def test_stopped_while_starting(self) -> None:
        """Being stopped before it has started is nothing to complain of."""
        node = FakeNode()
        self.service(node).startService()
        node.started.cancel()
        self.assertEqual((self.reactor.stops, self.failures, self.output.getvalue()), (0, [], ""))


class StoppedReactor(MemoryReactorClock):
    """Counts how often it was stopped."""

    stops = 0

    def stop(self) -> None:
        self.stops += 1
