"""The journal passes on what happened, and every fact is a line that a person can read."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from p2pship.journal import (
    LINES_SPAN,
    LONGEST_LINE,
    REFUSAL_LINES,
    CallEnded,
    CallFailed,
    CallSetUp,
    CallStarted,
    Fact,
    IdentityCreated,
    Journal,
    LinkRefused,
    PapersRefused,
    PeerGone,
    PeerMoved,
    PeerReached,
    PhoneRegistered,
    Published,
    RequestRefused,
)

A, B = "alice@example.com", "bob@example.com"


class JournalTests(SynchronousTestCase):
    """Who hears of what."""

    def setUp(self) -> None:
        self.journal = Journal()
        self.heard: list[Fact] = []

    def test_told(self) -> None:
        """A watcher gets each fact until it ends its watch; facts are counted by kind, other things by name."""
        end = self.journal.watch(self.heard.append)
        self.journal.tell(IdentityCreated(A))
        end()
        self.journal.tell(IdentityCreated(B))
        self.journal.count("lan.garbage")
        self.journal.count("lan.garbage", 2)
        self.assertEqual(self.heard, [IdentityCreated(A)])
        self.assertEqual(self.journal.counts, {"IdentityCreated": 2, "lan.garbage": 3})

    def test_log_is_not_filled(self) -> None:
        """Of each kind of fact only so many lines are written in ten seconds; all are counted, and watchers hear all."""
        clock = Clock()
        journal = Journal(clock.seconds)
        journal.watch(self.heard.append)
        with capturedLogs() as lines:
            for number in range(1_000):
                journal.tell(LinkRefused(f"192.0.2.1:{number}", "its hello was refused"))
            journal.tell(IdentityCreated(A))
            clock.advance(LINES_SPAN)
            journal.tell(LinkRefused("192.0.2.2:1", "its hello was refused"))
        self.assertEqual((len(self.heard), journal.counts["LinkRefused"]), (1_002, 1_001))
        texts = [formatEvent(line) for line in lines]
        self.assertEqual(len(texts), REFUSAL_LINES + 3)
        self.assertEqual(texts[-2], f"and {1_000 - REFUSAL_LINES} more lines like this: LinkRefused")
        self.assertIn("192.0.2.2:1", texts[-1])

    def test_one_line(self) -> None:
        """Words of a stranger make no second line in the log, steer no terminal, and are not endless."""
        with capturedLogs() as lines:
            self.journal.tell(CallFailed("id", A, B, 480, "\r\n\x1b[2J\x9b\u202eall well" + "x" * 100_000))
        (text,) = [formatEvent(line) for line in lines]
        self.assertTrue(text.isprintable())
        self.assertLessEqual(len(text), LONGEST_LINE)

    def test_broken_watcher(self) -> None:
        """A watcher that fails is logged, and keeps the news from nobody."""

        def broken(fact: Fact) -> None:
            raise ZeroDivisionError

        self.journal.watch(broken)
        self.journal.watch(self.heard.append)
        self.journal.tell(IdentityCreated(A))
        self.assertEqual(len(self.heard), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_watcher_that_ends_its_watch(self) -> None:
        """A watcher may end its own watch when it is told: the next one is told all the same."""
        ends = [self.journal.watch(lambda fact: ends[0]())]
        self.journal.watch(self.heard.append)
        self.journal.tell(IdentityCreated(A))
        self.journal.tell(IdentityCreated(B))
        self.assertEqual(len(self.heard), 2)


class FactTests(SynchronousTestCase):
    """What the log says."""

    def test_lines(self) -> None:
        """Each kind of fact says who, what and why; whatever is not encrypted is shouted."""
        for fact, line in (
            (IdentityCreated(A), f"made an identity for {A}"),
            (Published(A, "lan"), f"published {A} on lan"),
            (Published(A, "lan", "no network"), f"could not publish {A} on lan: no network"),
            (PapersRefused("lan", "expired"), "refused papers from lan: expired"),
            (PeerReached(A, B, "tls x", True), f"{A} reached {B} over tls x, encrypted"),
            (PeerReached(A, B, "tcp x", False), f"{A} reached {B} over tcp x, NOT ENCRYPTED"),
            (
                PeerMoved(A, B, "hip x"),
                f"{A} and {B} go on over hip x: an address has changed, or fell silent",
            ),
            (PeerGone(A, B, "restarted"), f"{A} lost {B}: restarted"),
            (LinkRefused("192.0.2.1:9", "no hello"), "refused a link with 192.0.2.1:9: no hello"),
            (PhoneRegistered(A, "sip:x", 60), f"the phone at sip:x registered as {A} for 60 s"),
            (PhoneRegistered(A, "sip:x", 0), f"the phone at sip:x is no longer registered as {A}"),
            (
                RequestRefused("INVITE", A, B, 403, "register first"),
                f"refused INVITE from {A} to {B} with 403: register first",
            ),
            (
                CallSetUp("id", A, B, 0.01, 0.02, 0.03, 0.04, 0.1),
                f"{B} rang 100 ms after {A} called (lookup 10, dial 20, hello 30 ms)",
            ),
            (CallStarted("id", A, B), f"call from {A} to {B} is up"),
            (CallEnded("id", A, B, 61.2, "BYE"), f"call from {A} to {B} ended after 61 s: BYE"),
            (CallFailed("id", A, B, 404, "unknown"), f"call from {A} to {B} failed with 404: unknown"),
            (
                CallFailed("id", A, B, 487, "gone", elsewhere=True),
                f"call from {A} to {B} was answered on another phone or device",
            ),
            (
                CallFailed("id", A, B, 487, "gone"),
                f"call from {A} to {B} was given up before anybody answered",
            ),
            (
                CallFailed("id", A, B, 302, "Moved"),
                f"call from {A} to {B} was sent elsewhere with 302: Moved",
            ),
        ):
            self.assertEqual(str(fact), line)
