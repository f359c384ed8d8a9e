"""Tests for :mod:`p2pship.overlay.greeting`: who is let in, and what those learn who are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred, succeed

from p2pship.bearer.framing import LARGEST_FRAME
from p2pship.identity.papers import Papers
from p2pship.identity.verdict import Verdict
from p2pship.interfaces import IIdentity
from p2pship.journal import LinkRefused
from p2pship.lookup.candidate import Found
from p2pship.overlay import conduit
from p2pship.overlay.conduit import HELLO_SECONDS
from p2pship.overlay.conduits import MAX_UNGREETED_FROM_ONE_SOURCE
from p2pship.overlay.greeting import REFUSAL_DELAY
from p2pship.overlay.hello import HelloBody, parse_hello
from p2pship.overlay.wire import MAX_HELLO, Bye, Ending, Hello, Payload, Ping, Received, Refused, encode
from tests.overlay.nodes import ALICE, BOB, STRANGER, Node, OverlayCase
from tests.overlay.strangers import Answerer, Stranger

MALLORY = "mallory@example.com"


class ResponderTests(OverlayCase):
    """Strangers who call."""

    def setUp(self) -> None:
        super().setUp()
        self.blocked: set[str] = set()
        self.bob = self.node(BOB, admit=lambda papers, called, verdict: papers.aor not in self.blocked)
        self.mallory = self.node(MALLORY)

    def stranger(self, home: Node | None = None) -> Stranger:
        """Return a stranger who has dialled Bob."""
        return Stranger(self, self.bob, home or self.mallory)

    def test_answer(self) -> None:
        """An honest hello is answered with one: for the caller, with the papers of the AOR called and no private address."""
        stranger = self.stranger()
        stranger.greet(BOB)
        self.clock.pass_time(0.01)
        (hello,) = stranger.frames
        assert isinstance(hello, Hello)
        body = parse_hello(hello.body)
        self.assertEqual((body.called, body.known, body.received), (MALLORY, 7, 0))
        self.assertEqual(body.subprotocols, ("sip", "test"))
        self.assertEqual(self.bob.peer(MALLORY).verdict, STRANGER_OF_POLICY)

    def test_corked(self) -> None:
        """The responder sends nothing more before the initiator's first frame."""
        stranger = self.stranger()
        stranger.greet(BOB)
        self.clock.pass_time(0.01)
        self.bob.peer(MALLORY).send("test", b"x")
        self.clock.pass_time(0.1)
        self.assertEqual(len(stranger.frames), 1)
        stranger.send(Received(0))
        self.clock.pass_time(0.1)
        self.assertEqual(stranger.frames[1:], [Payload(1, 1, b"x")])

    def causes(self) -> dict[str, Callable[[Stranger], None]]:
        """Return ways to be refused."""
        other = self.node("other@example.com")
        papers = other.papers("other@example.com")
        return {
            "nobody of that name": lambda it: it.greet("nobody@example.com"),
            "bad signature": lambda it: it.greet(BOB, record=it.body(BOB).record[:-1] + b"x"),
            "not a hello": lambda it: it.send(Hello(b"rubbish")),
            "empty": lambda it: it.send(Hello(b"")),
            "papers of another device": lambda it: it.greet(
                BOB, statement=papers.statement.raw, record=papers.record.raw
            ),
            "another's statement": lambda it: it.greet(BOB, statement=papers.statement.raw),
        }

    def greet_blocked(self, stranger: Stranger) -> None:
        """Send an honest hello of somebody who is not let in."""
        self.blocked.add(MALLORY)
        stranger.greet(BOB)

    def test_refusals_alike(self) -> None:
        """Every refusal has the same octets, comes the same time after the hello, and ends with the link."""
        causes = self.causes()
        causes["blocked"] = self.greet_blocked
        seen = set()
        for cause, ask in causes.items():
            stranger = self.stranger()
            began = self.clock.seconds()
            ask(stranger)
            self.clock.pass_time(0.1)
            self.assertEqual(stranger.frames, [Refused()], cause)
            self.assertEqual(len(stranger.lost), 1, cause)
            seen.add((stranger.raw[0], round(stranger.times[0] - began, 3)))
        self.assertEqual(seen, {(stranger.raw[0], 0.032)})
        refused = [fact for fact in self.bob.facts if isinstance(fact, LinkRefused)]
        self.assertEqual(len(refused), len(causes))
        self.assertEqual(self.bob.overlay.peers(), ())

    def test_own_check_is_slow(self) -> None:
        """Where judging takes long, a name that is not here takes as long, and refusals keep their beat."""
        trust = Patient(self)
        self.bob = self.node("carol@example.com", trust=trust, admit=lambda *_: False)
        for called in ("carol@example.com", "nobody@example.com"):
            stranger = self.stranger()
            began = self.clock.seconds()
            stranger.greet(called)
            self.clock.pass_time(1)
            took = stranger.times[0] - began - 0.002
            self.assertAlmostEqual(took / REFUSAL_DELAY, 4, 1)

    def test_replayed_hello(self) -> None:
        """Somebody else's hello, word for word, is worth nothing on one's own link."""
        alice = self.node(ALICE)
        overheard = Stranger(self, self.bob, alice).body(BOB).encode()
        thief = self.stranger()
        thief.send(Hello(overheard))
        self.clock.pass_time(0.1)
        self.assertEqual(thief.frames, [Refused()])
        self.assertIn("another device", str(self.bob.facts[-1]))

    def test_stale_papers(self) -> None:
        """A record older than one accepted is refused."""
        first, second = self.stranger(), self.stranger()
        old = first.body(BOB)
        second.greet(BOB)
        self.clock.pass_time(0.1)
        first.send(Hello(old.encode()))
        self.clock.pass_time(0.1)
        self.assertEqual(first.frames, [Refused()])

    def test_one_frame(self) -> None:
        """A second frame before the hello was answered ends the link."""
        self.blocked.add(MALLORY)
        for frame in (Ping(1), Received(0), Payload(0, 1, b"")):
            stranger = self.stranger()
            stranger.greet(BOB)
            stranger.send(frame, 0 if isinstance(frame, Ping) else 1, 1)
            self.clock.pass_time(0.01)
            self.assertEqual((stranger.frames, len(stranger.lost)), ([], 1))

    def test_two_hellos(self) -> None:
        """Before a hello has passed, only one may be sent."""
        self.blocked.add(MALLORY)
        stranger = self.stranger()
        stranger.greet(BOB)
        stranger.greet(BOB, 3)
        self.clock.pass_time(0.01)
        self.assertEqual((stranger.frames, len(stranger.lost)), ([], 1))

    def test_two_hellos_with_a_bye_between(self) -> None:
        """Taking the first one back makes no room for another: each costs us a look at signatures."""
        stranger = self.stranger()
        stranger.greet("nobody@example.com")
        stranger.send(Bye(Ending.PAUSED, ""))
        stranger.greet(BOB, 3)
        self.clock.pass_time(0.01)
        self.assertEqual((stranger.frames, len(stranger.lost)), ([], 1))

    def test_large_frame(self) -> None:
        """A frame above 4 KiB before the hello ends the link, which does not even keep it; afterwards it may be larger."""
        stranger = self.stranger()
        (link,) = self.bob.links()
        self.assertEqual(link.limit, MAX_HELLO)
        stranger.link.send(b"\x01\x00\x01" + bytes(MAX_HELLO - 2))
        self.clock.pass_time(0.01)
        self.assertEqual(len(stranger.lost), 1)
        another = self.stranger()
        (link,) = self.bob.links()
        another.greet(BOB)
        self.clock.pass_time(0.01)
        self.assertEqual((link.limit, another.lost), (LARGEST_FRAME, []))

    def test_other_frame_first(self) -> None:
        """What is no hello cannot come first."""
        stranger = self.stranger()
        stranger.send(Payload(0, 1, b""), 1, 1)
        self.clock.pass_time(0.01)
        self.assertEqual(len(stranger.lost), 1)

    def test_wrong_parity(self) -> None:
        """The dialling side opens odd numbers only."""
        stranger = self.stranger()
        stranger.greet(BOB, 2)
        self.clock.pass_time(0.01)
        self.assertEqual(len(stranger.lost), 1)

    def test_silent(self) -> None:
        """A link on which no hello comes is closed after 5 s."""
        stranger = self.stranger()
        self.clock.pass_time(HELLO_SECONDS - 0.1)
        self.assertEqual(stranger.lost, [])
        self.clock.pass_time(0.2)
        self.assertEqual(len(stranger.lost), 1)

    def test_too_many_from_one_source(self) -> None:
        """Links without a hello from one address are bounded: the eldest goes; those with one do not count."""
        passed = self.stranger()
        passed.greet(BOB)
        self.clock.pass_time(0.05)
        waiting = [self.stranger() for _ in range(MAX_UNGREETED_FROM_ONE_SOURCE)]
        self.assertEqual([one.lost for one in waiting], [[]] * MAX_UNGREETED_FROM_ONE_SOURCE)
        self.assertEqual(self.stranger().lost, [])
        self.assertEqual([len(one.lost) for one in waiting[:2]], [1, 0])
        waiting[1].greet(BOB)
        self.clock.pass_time(0.1)
        self.assertEqual(self.stranger().lost, [])
        self.assertEqual([len(one.lost) for one in (passed, *waiting[1:3])], [0, 0, 0])

    def test_too_many_numbers(self) -> None:
        """A link carries a bounded number of peers; who opens more loses it."""
        self.patch(conduit, "MAX_PEERS", 2)
        stranger = self.stranger()
        for number, called in enumerate((BOB, "bill@example.com", "bess@example.com")):
            self.assertEqual(stranger.lost, [])
            if called != BOB:
                self.bob.keyring.create(called)
            stranger.greet(called, 2 * number + 1)
            self.clock.pass_time(0.002)
            stranger.send(Received(0), 2 * number + 1)
            self.clock.pass_time(0.002)
        self.assertEqual(len(stranger.lost), 1)
        self.assertIn("too many peers", str(self.bob.facts[-1]))

    def test_bye_while_looking(self) -> None:
        """A caller who gives up while its hello is looked at gets no answer."""
        self.bob = self.node("carol@example.com", trust=Patient(self))
        stranger = self.stranger()
        stranger.greet("carol@example.com")
        stranger.send(Bye(Ending.PAUSED, ""))
        self.clock.pass_time(1)
        self.assertEqual(stranger.frames, [])
        self.assertEqual(self.bob.overlay.peers(), ())

    def test_impossible_numbers(self) -> None:
        """A hello that has received what was never sent is refused."""
        stranger = self.stranger()
        stranger.greet(BOB)
        self.clock.pass_time(0.01)
        hello = stranger.frames[0]
        assert isinstance(hello, Hello)
        stranger.greet(BOB, 3, known=parse_hello(hello.body).session, received=9)
        self.clock.pass_time(0.1)
        self.assertEqual(stranger.frames[1:], [Refused()])


STRANGER_OF_POLICY = Verdict(STRANGER.name, STRANGER.acquaintance, ("nobody vouches for the name",))


class Patient:
    """Judges after 100 ms."""

    def __init__(self, case: OverlayCase) -> None:
        self._clock = case.clock

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Judge later."""
        judged: Deferred[Verdict] = Deferred()
        self._clock.callLater(0.1, self._tell, judged)
        return judged

    def _tell(self, judged: Deferred[Verdict]) -> None:
        if not judged.called:
            judged.callback(STRANGER)


class InitiatorTests(OverlayCase):
    """Answers that are not to be believed."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.node(ALICE)

    def failure_with(self, home: Node, called: str = BOB) -> str:
        """Let Alice call somebody whose device is that of ``home``, and return why it failed."""
        reached = self.alice.people(called)
        self.clock.pass_time(6)
        (outcome,) = reached.outcomes
        self.assertEqual(reached.peers, [])
        (tried,) = outcome.tried
        return tried.reason

    def test_refused(self) -> None:
        """A refusal is told as such, and leaves neither link nor peer."""
        bob = self.node(BOB, admit=lambda *_: False)
        self.assertIn("would not talk", self.failure_with(bob))
        self.assertEqual(self.links_between(self.alice, bob), [])
        self.assertEqual(self.alice.overlay.peers(), ())

    def test_admit_later(self) -> None:
        """Who is let in may be decided later."""
        bob = self.node(BOB, admit=lambda *_: succeed(True))
        self.assertEqual(self.alice.reach(BOB).hit, bob.hit)

    def test_admit_fails(self) -> None:
        """A bug of the one who decides refuses, and is logged."""
        bob = self.node(BOB, admit=lambda *_: 1 // 0)
        self.failure_with(bob)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def failure_with_answer(self, papers: Papers | None = None, called: str = ALICE) -> str:
        """Let Bob's device answer with these papers, or Bob's own, and return why Alice does not believe it."""
        own = self.bob.papers(BOB)
        said = papers or own
        body = HelloBody(called, said.statement.raw, said.record.raw, 7, 0, 0, ("sip",)).encode()
        answerer = Answerer(self.bob, lambda number: encode(Hello(body), number))
        self.directory.extra = [Found(own, tuple(self.bob.locators()), STRANGER, "memory")]
        reached = self.alice.people(BOB)
        self.clock.pass_time(1)
        self.assertEqual(self.links_between(self.alice, self.bob), [])
        self.assertEqual([type(frame) for frame in answerer.got], [Hello, Bye, Bye])
        return reached.outcomes[0].tried[0].reason

    def impostor(self, aor: str) -> Papers:
        """Return the papers of another identity on Bob's very device."""
        state = Path(self.mktemp())
        shutil.copytree(self.bob.state / "device", state / "device")
        papers: Papers = self.node(aor, state=state).papers(aor)
        self.assertEqual(papers.record.device_key, self.bob.keyring.device.key)
        return papers

    def test_answers_that_are_not_believed(self) -> None:
        """The answer has to be for the caller, of the AOR called, and of the identity key that was found."""
        self.bob = self.node(BOB)
        other_key, other_aor = self.impostor(BOB), self.impostor("carol@example.com")
        self.directory.nodes.clear()
        self.assertIn("for somebody else", self.failure_with_answer(called="eve@example.com"))
        self.assertIn("identity key", self.failure_with_answer(other_key))
        self.assertIn("carol@example.com", self.failure_with_answer(other_aor))

    def test_answer_that_is_none(self) -> None:
        """Anything else in place of the answer ends the link."""
        bob = self.node(BOB)
        Answerer(bob, lambda number: encode(Payload(0, 1, b""), number, 1))
        self.assertIn("in place of the answer", self.failure_with(bob))

    def test_hello_never_answered(self) -> None:
        """A hello that is not answered costs 5 s in all, and leaves nothing."""
        bob = self.node(BOB, admit=lambda *_: Deferred())
        reason = self.failure_with(bob)
        self.assertIn("did not answer in time", reason)
        self.clock.pass_time(10)
        self.assertEqual(self.links_between(self.alice, bob), [])
