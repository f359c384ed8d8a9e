"""Tests of the commands about people."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.python.failure import Failure

from p2pship.commands.contacttext import added_text, list_text, pattern_text, pinned_text, show_text
from p2pship.errors import LocalError, RemoteError
from p2pship.identity.device import Device
from p2pship.identity.fingerprint import fingerprint
from p2pship.identity.keys import new_p256, spki
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.lookup.candidate import FindOutcome, Found
from p2pship.trust.offers import Offer
from p2pship.trust.safety import hashes, in_one_go, number
from tests.commands.desks import NOW, DeskTestCase
from tests.trust.people import papers_of

ALICE, BOB = "alice@example.com", "bob@example.org"
CHANGED = Verdict(NameGrade.CHANGED, Acquaintance.STRANGER, ("another key",))


class ContactTests(DeskTestCase):
    """People, at a desk without a network."""

    def setUp(self) -> None:
        super().setUp()
        self.desk.keyring.create(ALICE)
        self.key = spki(new_p256())

    def seen(self, key: bytes) -> None:
        """Let somebody by Bob's name be seen with a key."""
        self.desk.trust.offers.seen(ALICE, BOB, Offer(key, NOW, CHANGED))

    def assert_refused(self, words: str, command: str, **arguments: Any) -> None:
        """Check that a command fails, and says what to do."""
        try:
            self.give(command, **arguments)
        except (LocalError, RemoteError) as error:
            self.assertIn(words, str(error))
        else:
            self.fail(f"{command} worked")

    def test_add(self) -> None:
        """Who is added is listed, not confirmed yet, and can be given another name."""
        added = self.give("contact add", aor="sip:bob@EXAMPLE.org", name="Bob", note="from school")
        self.assertIn("Not confirmed yet", added_text(added))
        self.give("contact add", aor=BOB, name="Bobby")
        listed = self.give("contact list")
        (contact,) = listed["contacts"]
        self.assertEqual(
            (contact["aor"], contact["name"], contact["note"], contact["pin"]),
            (BOB, "Bobby", "from school", None),
        )
        self.assertIn("Bobby", list_text(listed))

    def test_names_refused(self) -> None:
        """Names with what cannot be seen or other than ASCII, and one's own, are no contacts."""
        self.assert_refused("cannot be seen", "contact add", aor="bob%00@example.org")
        self.assert_refused("international_names", "contact add", aor="b%C3%B6b@example.org")
        self.assert_refused("own name", "contact add", aor=ALICE)
        self.assert_refused("printable", "contact add", aor=BOB, name="Bob\x1b[2J")

    def test_look_alike(self) -> None:
        """Whoever adds a name that looks like another is told."""
        self.give("contact add", aor=BOB)
        self.assertIn(f"looks like {BOB}", added_text(self.give("contact add", aor="b0b@example.org")))

    def test_pin(self) -> None:
        """The one key that was seen is pinned; a new one takes its place by another command only."""
        self.assert_refused("no key", "contact pin", aor=BOB)
        self.assertIn(f"`p2pship contact pin {BOB}`", show_text(self.give("contact show", aor=BOB)))
        self.seen(self.key)
        self.assertIn(f"--fingerprint {fingerprint(self.key)}", show_text(self.give("contact show", aor=BOB)))
        pinned = self.give("contact pin", aor=BOB, fingerprint=fingerprint(self.key).upper())
        self.assertEqual((pinned["how"], pinned["confirmed"]), ("contact", False))
        self.assertIn("compare the safety number", pinned_text(pinned))
        self.assertIn("when they became a contact", show_text(self.give("contact show", aor=BOB)))
        other = spki(new_p256())
        self.seen(other)
        self.assertIn(fingerprint(other), show_text(self.give("contact show", aor=BOB)))
        self.give("contact pin", aor=BOB, fingerprint=fingerprint(other))
        self.assertEqual(self.desk.pins.all(ALICE)[BOB].key, other)

    def test_number_of_another_key(self) -> None:
        """Where another key was seen, the number shown is said to be the old one's, and the new one's can be compared."""
        new = spki(new_p256())
        self.desk.trust.pin(ALICE, BOB, self.key, "confirmed")
        self.seen(self.key)
        self.assertNotIn("confirmed", show_text(self.give("contact show", aor=BOB)))
        self.seen(new)
        shown = show_text(self.give("contact show", aor=BOB))
        self.assertIn(f"--fingerprint {fingerprint(new)} --safety", shown)
        self.assertNotIn("--confirmed", shown)
        self.assert_refused("--fingerprint", "contact pin", aor=BOB, confirmed=True)
        self.give("contact pin", aor=BOB, confirmed=True, fingerprint=fingerprint(self.key))
        self.seen(new)
        own = self.desk.keyring.identity(ALICE)
        assert own is not None
        theirs = number(*in_one_go(hashes(BOB, new, ALICE, own.key)))
        pinned = self.give("contact pin", aor=BOB, fingerprint=fingerprint(new), safety=theirs)
        self.assertEqual((pinned["fingerprint"], pinned["confirmed"]), (fingerprint(new), True))

    def test_compared_key_stays(self) -> None:
        """A key whose safety number was compared gives way to no other by itself: what would be lost and how to compare is said."""
        new, before = spki(new_p256()), fingerprint(self.key)
        self.desk.trust.pin(ALICE, BOB, self.key, "confirmed")
        self.seen(new)
        given: dict[str, Any] = {"aor": BOB, "fingerprint": fingerprint(new)}
        for words in (before, f"--fingerprint {fingerprint(new)} --safety", "--yes"):
            self.assert_refused(words, "contact pin", **given)
        wrong = self.give("contact show", aor=BOB)["safety_number"]
        self.assert_refused("nothing was changed", "contact pin", **given, safety=wrong)
        self.assertEqual(self.desk.pins.all(ALICE)[BOB].key, self.key)
        self.assertIsNone(self.give("contact pin", aor=BOB, fingerprint=before)["replaced"])
        self.seen(new)
        pinned = self.give("contact pin", **given, yes=True)
        self.assertEqual((pinned["fingerprint"], pinned["confirmed"]), (fingerprint(new), False))
        self.assertIn(f"took the place of {before}, whose safety number you compared", pinned_text(pinned))
        self.assertIn("compare the safety number", pinned_text(pinned))

    def test_safety_number(self) -> None:
        """A right number confirms the pin, a wrong one changes nothing; so does saying that it was compared."""
        self.desk.trust.pin(ALICE, BOB, self.key, "call")
        shown = self.give("contact show", aor=BOB)
        self.assertEqual(len(shown["safety_number"].split()), 12)
        wrong = shown["safety_number"][:-1] + str((int(shown["safety_number"][-1]) + 1) % 10)
        self.assert_refused("differ", "contact pin", aor=BOB, safety=wrong)
        self.assertFalse(self.desk.pins.all(ALICE)[BOB].confirmed)
        for safety in (shown["safety_number"], shown["safety_uri"]):
            self.assertTrue(self.give("contact pin", aor=BOB, safety=safety)["confirmed"])
        self.desk.trust.pin(ALICE, "carol@example.net", self.key, "call")
        self.assertTrue(self.give("contact pin", aor="carol@example.net", confirmed=True)["confirmed"])

    def test_safety_number_of_both(self) -> None:
        """Both see the same number, and each can give the other's, or scan it; a third is told that it is another's."""
        desk = self.open_desk("bob")
        alice, bob = self.desk.keyring.identity(ALICE), desk.keyring.create(BOB)
        assert alice is not None
        self.desk.trust.pin(ALICE, BOB, bob.key, "call")
        desk.trust.pin(BOB, ALICE, alice.key, "call")
        mine, theirs = self.give("contact show", aor=BOB), self.give("contact show", desk, aor=ALICE)
        self.assertEqual(mine["safety_number"], theirs["safety_number"])
        self.assertEqual(mine["safety_uri"], theirs["safety_uri"])
        self.assertTrue(self.give("contact pin", aor=BOB, safety=theirs["safety_number"])["confirmed"])
        self.assertTrue(self.give("contact pin", desk, aor=ALICE, safety=mine["safety_uri"])["confirmed"])
        self.desk.trust.pin(ALICE, "carol@example.net", self.key, "call")
        carols = self.give("contact show", aor="carol@example.net")["safety_number"]
        self.assert_refused("differ", "contact pin", aor=BOB, safety=carols)

    def test_qr(self) -> None:
        """The number is shown as a QR code that another node compares by itself, where that is wished."""
        self.seen(self.key)
        self.give("contact pin", aor=BOB, fingerprint=fingerprint(self.key))
        plain = self.give("contact show", aor=BOB)
        self.assertNotIn("█", show_text(plain))
        text = show_text(self.give("contact show", aor=BOB, qr=True))
        self.assertIn("█", text)
        self.assertIn(plain["safety_uri"], text)
        self.assertTrue(self.give("contact pin", aor=BOB, safety=plain["safety_uri"])["confirmed"])

    def test_listed(self) -> None:
        """The list says who verified a name, and that somebody under it has shown another key."""
        self.give("contact add", aor=BOB)
        self.assertIn("not confirmed yet", list_text(self.give("contact list")))
        self.desk.trust.pin(ALICE, BOB, self.key, "contact", "ca:0123456789abcdef")
        line = list_text(self.give("contact list")).splitlines()[1]
        self.assertEqual(line.split(), [BOB, BOB, "known", "ca:0123456789abcdef"])
        self.seen(spki(new_p256()))
        self.assertIn("known, ANOTHER ONE SEEN: contact show", list_text(self.give("contact list")))

    def test_forget(self) -> None:
        """Who is forgotten is gone, key and all."""
        self.give("contact add", aor=BOB)
        self.desk.trust.pin(ALICE, BOB, self.key, "call")
        self.give("contact forget", aor=BOB)
        self.assertEqual((self.give("contact list")["contacts"], self.desk.pins.all(ALICE)), ([], {}))
        self.assert_refused("contact list", "contact forget", aor=BOB)

    def test_lists(self) -> None:
        """Patterns are blocked, allowed, listed and taken off."""
        blocked = self.give("contact block", pattern="*@Example.org", note="spam")
        self.assertIn("refused", pattern_text(blocked))
        self.assertEqual(self.give("contact show", aor=BOB)["blocked"], "*@example.org")
        self.assertIn("spam", list_text(self.give("contact list")))
        self.assertIn("allowed", pattern_text(self.give("contact allow", pattern="*@example.org")))
        self.give("contact unblock", pattern="*@example.org")
        self.assertEqual(self.give("contact list")["patterns"], [])
        self.assert_refused("on no list", "contact unblock", pattern="*@example.org")
        self.assert_refused("is no pattern", "contact block", pattern="*")

    def test_pair_needs_node(self) -> None:
        """Pairing needs a network, and says so."""
        try:
            self.give("contact pair", whom=BOB)
        except LocalError:
            self.assertIn("running node", Failure().getErrorMessage())
        else:
            self.fail("it worked")


class PretendedFinder:
    """Finds what a test tells it to."""

    def __init__(self, found: list[Any], judged: Callable[[], None]) -> None:
        self._found = found
        self._judged = judged

    def find(self, aor: str, own: Any, receiver: Any) -> None:
        """Tell everything in a moment."""
        self._judged()
        for each in self._found:
            receiver.device_found(each)
        receiver.find_ended(FindOutcome((), len(self._found)))


class FindingTests(DeskTestCase):
    """People who are searched for by a running node."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.desk.keyring.create(ALICE)
        self.found: list[Any] = []
        self.judged: list[Callable[[], None]] = []
        finder = PretendedFinder(self.found, self.judge)
        self.desk.node = SimpleNamespace(finder=finder)  # only its finder is asked

    def judge(self) -> None:
        """Do what the search does beside finding."""
        for act in self.judged:
            act()

    def show(self, key: Any, verdict: Verdict) -> None:
        """Let a device of somebody be found."""
        self.found.append(Found(papers_of(BOB, key, device=Device.new(), now=int(NOW)), (), verdict, "lan"))

    def told(self, command: str, **arguments: Any) -> Any:
        """Return what a command answers."""
        answer = self.give(command, **arguments)
        self.clock.advance(0)  # the safety number takes its turns
        return self.successResultOf(answer)

    def test_comparing_in_turns(self) -> None:
        """A node that carries calls computes the number that is to be compared in turns; a wrong one changes nothing."""
        key = new_p256()
        self.desk.trust.pin(ALICE, BOB, spki(key), "call")
        number = self.told("contact show", aor=BOB)["safety_number"]
        wrong = self.give("contact pin", aor=BOB, safety=" ".join(reversed(number.split())))
        right = self.give("contact pin", aor=BOB, safety=number)
        self.assertNoResult(wrong)
        self.assertNoResult(right)
        self.clock.advance(0)
        self.failureResultOf(wrong, LocalError)
        self.assertTrue(self.successResultOf(right)["confirmed"])

    def test_one_key(self) -> None:
        """The one key that is found is pinned with who verified it, and the safety number is there."""
        key = new_p256()
        self.show(key, Verdict(NameGrade.VERIFIED, Acquaintance.STRANGER, by="domain"))
        added = self.told("contact add", aor=BOB)
        self.assertEqual(added["pin"]["verified_by"], "domain")
        self.assertEqual(len(added["safety_number"].split()), 12)
        self.assertEqual(self.desk.pins.all(ALICE)[BOB].key, spki(key))

    def test_two_keys(self) -> None:
        """Where several claim the name, none is pinned by itself: the user says which."""
        stranger = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER)
        keys = [new_p256(), new_p256()]
        for key in keys:
            self.show(key, stranger)
        self.assertIsNone(self.told("contact add", aor=BOB)["pin"])
        failure = self.failureResultOf(self.give("contact pin", aor=BOB), LocalError)
        self.assertIn(fingerprint(spki(keys[1])), failure.getErrorMessage())

    def test_false_key(self) -> None:
        """A key that is refused, as its certificate was revoked, is not pinned by adding the person; why is said."""
        offer = Offer(spki(new_p256()), NOW, CHANGED)
        self.judged.append(lambda: self.desk.trust.offers.seen(ALICE, BOB, offer))
        self.assertIn("another key", added_text(self.told("contact add", aor=BOB)))
        self.assertEqual(self.desk.pins.all(ALICE), {})

    def test_changed_key(self) -> None:
        """A key that was ignored because another is pinned takes its place when the user says so."""
        old, new = spki(new_p256()), spki(new_p256())
        self.desk.trust.pin(ALICE, BOB, old, "call")
        offer = Offer(new, NOW, CHANGED)
        self.judged.append(lambda: self.desk.trust.offers.seen(ALICE, BOB, offer))
        pinned = self.told("contact pin", aor=BOB)
        self.assertEqual(pinned["fingerprint"], fingerprint(new))
        self.assertIn(f"took the place of {fingerprint(old)}.", pinned_text(pinned))
        self.assertEqual(self.desk.pins.all(ALICE)[BOB].key, new)

    def test_changed_key_of_compared(self) -> None:
        """The command that every refusal of a call names takes no other key in place of a compared one: it says how to compare."""
        old, new = spki(new_p256()), spki(new_p256())
        self.desk.trust.pin(ALICE, BOB, old, "confirmed")
        self.judged.append(lambda: self.desk.trust.offers.seen(ALICE, BOB, Offer(new, NOW, CHANGED)))
        failure = self.failureResultOf(self.give("contact pin", aor=BOB), LocalError)
        self.assertIn(f"--fingerprint {fingerprint(new)} --safety", failure.getErrorMessage())
        self.assertEqual(self.desk.pins.all(ALICE)[BOB].key, old)
