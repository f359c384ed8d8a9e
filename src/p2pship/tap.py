"""``twistd p2pship``: the options of the command, and the service that they make."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar, TextIO

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorThreads, IReactorUNIX
from twisted.logger import (
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    PredicateResult,
    globalLogPublisher,
)
from twisted.python import usage
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship import standing
from p2pship.banner import banner
from p2pship.commands.table import commands
from p2pship.config import ANSWERS_FILE, CONFIG_FILE, Config, default_state, load
from p2pship.control import ControlServer
from p2pship.cycles import OFTEN, VERY_OFTEN, RareSearch
from p2pship.descriptors import allow_more
from p2pship.errors import ConfigError, P2PShipError
from p2pship.exitstatus import CannotStart, end_as_failure
from p2pship.leaps import SteadyCalls
from p2pship.lookup.mainline.consent import settle
from p2pship.node import Node
from p2pship.sections import sections
from p2pship.storage.passphrase import CREDENTIAL, find_passphrase
from p2pship.storage.vault import Vault

TRACEBACKS = 5
"Tracebacks from one place of the code that are logged in each span: a bug that somebody has found must not fill the disk."

TRACEBACKS_SPAN = 60.0
"Seconds in which that many are logged; how many more there were is said afterwards, with the next one."

MOST_THREADS = 50
"""Of the reactor; they are made as they are needed. Each name of a host takes one while it is resolved: ten seconds and more if whoever runs the
domain wishes so, and strangers can have 32 pages of their domains asked for at a time. Ten threads, as Twisted has, would then be left to nobody."""


@implementer(ILogFilterPredicate)
class FewTracebacks:
    """Lets an observer of the log see so many tracebacks from each place, and all else: a predicate of Twisted's log.

    Facts are limited by the journal; these come where something failed in an unforeseen way, as when the disk is full.
    """

    def __init__(self, observer: ILogObserver, seconds: Callable[[], float]) -> None:
        """Tell ``observer`` how many were left out."""
        self._log = Logger(observer=observer)
        self._seconds = seconds
        self._since = seconds()
        self._seen: Counter[tuple[str, str]] = Counter()

    def __call__(self, event: LogEvent) -> Any:
        """Return ``PredicateResult.no`` for a traceback too many."""
        failure = event.get("log_failure")
        if failure is None:
            return PredicateResult.maybe
        now = self._seconds()
        if not 0 <= now - self._since < TRACEBACKS_SPAN:
            self._since = now
            self._tell_left_out()
        place = str(event.get("log_namespace")), failure.type.__name__
        self._seen[place] += 1
        return PredicateResult.maybe if self._seen[place] <= TRACEBACKS else PredicateResult.no

    def _tell_left_out(self) -> None:
        seen, self._seen = self._seen, Counter()
        for (namespace, kind), number in seen.items():
            if number > TRACEBACKS:
                more = number - TRACEBACKS
                text = "and {more} more tracebacks of {kind} in {place}"
                self._log.info(text, more=more, kind=kind, place=namespace)


def log_little(publisher: LogPublisher, seconds: Callable[[], float] = monotonic) -> None:
    """Let those who observe the log now see few tracebacks, and nothing of level debug, which twistd would write as well."""
    levels = LogLevelFilterPredicate(LogLevel.info)
    for observer in tuple(publisher._observers):  # there is no other way to all of them
        publisher.removeObserver(observer)
        predicates = [FewTracebacks(observer, seconds), levels]
        publisher.addObserver(FilteringLogObserver(observer, predicates))


def descriptor_number(text: str) -> int:
    """Read the number of a file descriptor; raises ValueError, which Twisted turns into words."""
    number = int(text)
    if number < 0:
        raise ValueError("a file descriptor is a number from 0")
    return number


descriptor_number.coerceDoc = "A number from 0."  # type: ignore[attr-defined]


class Options(usage.Options):
    """The command line; :attr:`state` and :attr:`config` are what came of it."""

    synopsis = "[options]"
    longdesc = (
        "Runs a node beside your SIP phone: it finds the person you call and carries the call there, encrypted, "
        "without a server. `p2pship config` prints every option that a configuration file can have."
    )
    optParameters: ClassVar[list[list[Any]]] = [
        [
            "state",
            None,
            None,
            f"The folder of keys and state, one for each node. [default: {default_state()}]",
        ],
        [
            "config",
            "c",
            None,
            f"The configuration file. [default: {CONFIG_FILE} in the state folder, if it is there]",
        ],
        ["sip-port", None, None, "The port where phones register: the same as --set sip.port=PORT."],
        [
            "passphrase-fd",
            None,
            None,
            "The file descriptor to read the passphrase of the keys from, if they have one. [default: ask at the "
            f"terminal if there is one, else the systemd credential {CREDENTIAL}]",
            descriptor_number,
        ],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.overrides: list[str] = []
        self.state = default_state()
        self.config = Config({})
        self.unlock: Callable[[], bytes] | None = None
        "gives the passphrase of the keys; None if they have none"

    def opt_set(self, assignment: str) -> None:
        """Set one option, as --set sip.port=5070, over what the file says; may be repeated."""
        self.overrides.append(assignment)

    def postOptions(self) -> None:
        """Read the configuration; a command that cannot be run ends here, in words."""
        if self["state"] is not None:
            self.state = Path(self["state"]).expanduser().absolute()
        if self["sip-port"] is not None:
            self.opt_set(f"sip.port={self['sip-port']}")
        try:
            self.config = self._load()
            self.unlock = self._unlocker()
        except ConfigError as error:
            raise SystemExit(f"p2pship cannot start:\n{error}") from None

    def ask(self, reading: TextIO | None, writing: TextIO | None) -> str:
        """Ask the person what is asked once, and return what is to be said in the start text; empty for nothing.

        It is done before the node goes into the background, where there is no terminal.
        """
        try:
            said = settle(self.config, self.state, reading, writing)
            self.config = self._load()
        except KeyboardInterrupt:
            raise SystemExit("\np2pship was not started; the next start asks again") from None
        except ConfigError as error:
            raise SystemExit(f"p2pship cannot start:\n{error}") from None
        return said

    def _load(self) -> Config:
        return load(self._file(), self._sections, self.overrides, self.state / ANSWERS_FILE)

    @cached_property
    def _sections(self) -> dict[str, type | None]:
        """What can be configured; which plug-ins are broken is then said once."""
        return sections()

    def _unlocker(self) -> Callable[[], bytes] | None:
        """Read the passphrase now: once the node runs in the background there is no terminal and no descriptor."""
        if not Vault.needs_passphrase(self.state):
            return None
        passphrase = find_passphrase(self["passphrase-fd"])
        return lambda: passphrase

    def _file(self) -> Path | None:
        if self["config"] is not None:
            return Path(self["config"]).expanduser().absolute()
        own = self.state / CONFIG_FILE
        # False also in a folder of somebody else: who opens it says why that cannot be used.
        return own if os.path.lexists(own) else None


class NodeService(MultiService):
    """A node and its control socket, which says when it has started, and in words why it cannot."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        node: Node,
        control: ControlServer,
        output: TextIO | None,
        failed: Callable[[], None],
        said: str = "",
    ) -> None:
        """``failed`` is called when it cannot start, before the reactor is stopped; ``said`` is what the start text says besides."""
        super().__init__()
        self._reactor = reactor
        self._failed = failed
        self._node = node
        self._output = output
        self._said = said
        node.setServiceParent(self)
        control.setServiceParent(self)

    def startService(self) -> None:
        try:
            super().startService()
            started = self._node.when_started()
        except P2PShipError as error:
            raise CannotStart(f"p2pship cannot start: {error}") from None
        started.addCallbacks(self._started, self._not_started)

    def _started(self, _: None) -> None:
        if self._output is not None:
            self._output.write(f"\n{banner(self._node.status(), _command(), self._said)}\n")
            self._output.flush()

    def _not_started(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return  # it was stopped before it had started
        self.log.critical("p2pship cannot start: {reason}", reason=failure.getErrorMessage())
        self._failed()
        self._reactor.callWhenRunning(self._reactor.stop)


def _command() -> str:
    """Return how the ``p2pship`` command can be called: by its name, or by its path in a virtual environment."""
    beside = Path(sys.executable).with_name("p2pship")
    return str(beside) if shutil.which("p2pship") is None and beside.exists() else "p2pship"


def makeService(options: Options) -> NodeService:
    """Return the service for twistd.

    The banner goes to the real standard output: twistd turns ``sys.stdout`` into lines of its log.
    """
    from twisted.internet import reactor

    said = options.ask(sys.stdin, sys.stdout)
    reactor.callWhenRunning(log_little, globalLogPublisher)
    IReactorThreads(reactor).suggestThreadPoolSize(MOST_THREADS)
    allow_more()
    search = RareSearch()
    try:
        node = Node(reactor, options.config, options.state, unlock=options.unlock)
    except P2PShipError as error:
        raise SystemExit(f"p2pship cannot start: {error}") from None
    SteadyCalls(reactor, node.clock_set_back)
    answered = {**standing.commands(lambda: node.standing), **commands(lambda: node.desk)}
    control = ControlServer(IReactorUNIX(reactor), options.state, answered)
    service = NodeService(reactor, node, control, sys.__stdout__, end_as_failure, said)
    TimerService(OFTEN, search.look_if_quiet).setServiceParent(service)
    TimerService(VERY_OFTEN, search.look_if_many).setServiceParent(service)
    return service
