"""The key exchange under a short secret, and attacks on it."""

from __future__ import annotations

import contextlib
import random
import sys
from importlib import import_module

from spake2.ed25519_basic import Base, Q, bytes_to_unknown_group_element
from twisted.internet.interfaces import IReactorThreads
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from p2pship.errors import LocalError, RemoteError
from p2pship.relations.pake import BadExchange, Exchange, WrongSecret, context, prepare
from tests.scale import SEED

PASSWORD = b"code:12345678"
WHAT = context("link", "alice@example.com")
NEW, OLD, EVIL = b"new device's key", b"old device's key", b"device key of the one between"


class Pair:
    """Both sides of an exchange; what is not given is the same on both."""

    def __init__(
        self,
        theirs: bytes = PASSWORD,
        their_context: bytes = WHAT,
        seen_by_new: bytes = OLD,
        seen_by_old: bytes = NEW,
    ) -> None:
        octets = random.Random(SEED).randbytes
        self.new = Exchange(True, theirs, their_context, NEW, seen_by_new, octets)
        self.old = Exchange(False, PASSWORD, WHAT, seen_by_old, OLD, octets)

    def swap(self) -> Pair:
        """Give each the other's element, unchanged."""
        self.old.take(self.new.element)
        self.new.take(self.old.element)
        return self


class Threads:
    """Notes what is to be done in a thread."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        directlyProvides(self, IReactorThreads)

    def callInThread(self, *call: object) -> None:
        """Note a call."""
        self.calls.append(call)


class PrepareTests(SynchronousTestCase):
    """The library, which takes long to load."""

    def test_once_in_a_thread(self) -> None:
        """It is loaded in a thread where there are threads, and only if it has not been."""
        threads = Threads()
        prepare(threads)
        self.assertEqual(threads.calls, [])
        loaded = sys.modules.pop("spake2")
        self.addCleanup(sys.modules.__setitem__, "spake2", loaded)
        prepare(object())
        prepare(threads)
        self.assertEqual(threads.calls, [(import_module, "spake2")])


class ExchangeTests(SynchronousTestCase):
    """Who knows the same comes to the same keys; nobody else learns anything."""

    def test_same_secret(self) -> None:
        """Both prove themselves, can seal to each other and export the same key."""
        pair = Pair().swap()
        pair.old.check(pair.new.proof())
        pair.new.check(pair.old.proof())
        self.assertEqual(pair.old.open(pair.new.seal(b"to the old one")), b"to the old one")
        self.assertEqual(pair.new.open(pair.old.seal(b"to the new one")), b"to the new one")
        self.assertEqual(pair.new.export, pair.old.export)
        self.assertEqual(len(pair.new.export), 32)

    def test_wrong_secret(self) -> None:
        """A guess is refused, and who guessed gets neither a proof nor anything sealed to test the next guess with."""
        pair = Pair(theirs=b"code:12345679").swap()
        self.assertRaises(WrongSecret, pair.old.check, pair.new.proof())
        for secretive in (pair.old.proof, lambda: pair.old.seal(b""), lambda: pair.old.export):
            self.assertRaises(LocalError, secretive)

    def test_man_in_the_middle(self) -> None:
        """Somebody with a device of his own between both, who knows nothing and passes every message on, is found out."""
        between = Pair(seen_by_new=EVIL, seen_by_old=EVIL).swap()
        self.assertRaises(WrongSecret, between.old.check, between.new.proof())
        half = Pair(seen_by_new=EVIL).swap()
        self.assertRaises(WrongSecret, half.old.check, half.new.proof())

    def test_other_purpose(self) -> None:
        """An exchange for another name or purpose, with the same digits, leads to nothing."""
        for other in (context("pair", "alice@example.com"), context("link", "bob@example.com")):
            pair = Pair(their_context=other).swap()
            self.assertRaises(WrongSecret, pair.old.check, pair.new.proof())

    def test_contexts_differ(self) -> None:
        """No two lists of parts run together into the same context."""
        made = {context("a", "b", "c"), context("a", "bc"), context("ab", "c"), context("a", b"b", "c")}
        self.assertEqual(len(made), 4)

    def test_altered_proofs(self) -> None:
        """Every altered octet of a proof, a cut and a reflected one are refused."""
        pair = Pair().swap()
        proof = pair.new.proof()
        for at in range(len(proof)):
            changed = proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]
            self.assertRaises(WrongSecret, pair.old.check, changed)
            self.assertRaises(WrongSecret, pair.old.check, proof[:at])
        pair.old.check(proof)
        self.assertRaises(WrongSecret, pair.new.check, proof)

    def test_altered_elements(self) -> None:
        """An element that was changed on its way is refused at once, or its proof is."""
        for at in range(1, 33, 4):
            pair = Pair()
            changed = bytearray(pair.new.element)
            changed[at] ^= 1
            pair.new.take(pair.old.element)
            try:
                pair.old.take(bytes(changed))
            except BadExchange:
                continue
            self.assertRaises(WrongSecret, pair.old.check, pair.new.proof())

    def test_reflection(self) -> None:
        """One's own element that comes back is refused, also under the other side's letter."""
        for side in (0, 1):
            for letter in (b"A", b"B", b"S", b"\0"):
                own = (Pair().new, Pair().old)[side]
                self.assertRaises(BadExchange, own.take, letter + own.element[1:])

    def test_replay(self) -> None:
        """What one exchange carried is worth nothing in the next one."""
        first = Pair().swap()
        octets = random.Random(SEED + 1).randbytes
        later = Exchange(False, PASSWORD, WHAT, NEW, OLD, octets)
        later.take(first.new.element)
        self.assertRaises(WrongSecret, later.check, first.new.proof())

    def test_bad_points(self) -> None:
        """Points of small order, off the curve and outside the prime-order group are refused, and so are wrong lengths."""
        order_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
        small = [
            (1).to_bytes(32, "little"),  # the neutral element
            (Q - 1).to_bytes(32, "little"),  # order 2
            bytes(32),  # order 4
            order_8,
            (Q + 1).to_bytes(32, "little"),  # the neutral element again, not reduced
            (2**255 + 1).to_bytes(32, "little"),  # and again, with a sign
            (2).to_bytes(32, "little"),  # off the curve
            b"\xff" * 32,
        ]
        for point in small:
            for victim, letter in ((Pair().old, b"A"), (Pair().new, b"B")):
                self.assertRaises(BadExchange, victim.take, letter + point)
        for length in (*range(33), 34, 1000):
            self.assertRaises(BadExchange, Pair().old.take, (b"A" * 1000)[:length])

    def test_mixed_order(self) -> None:
        """A good point with one of small order added to it is refused."""
        mixed = Base.scalarmult(5).add(bytes_to_unknown_group_element((Q - 1).to_bytes(32, "little")))
        self.assertRaises(BadExchange, Pair().old.take, b"A" + mixed.to_bytes())

    def test_garbage(self) -> None:
        """No element of 33 random octets brings down more than the exchange it is in."""
        octets = random.Random(SEED).randbytes
        for _ in range(40):
            with contextlib.suppress(RemoteError):
                Pair().old.take(b"A" + octets(32))

    def test_sealed_altered(self) -> None:
        """What was sealed is refused when it was changed, cut, or comes back to its sender."""
        pair = Pair().swap()
        pair.old.check(pair.new.proof())
        pair.new.check(pair.old.proof())
        sealed = pair.old.seal(b"statement")
        for bad in (b"", sealed[:15], sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1])):
            self.assertRaises(WrongSecret, pair.new.open, bad)
        self.assertRaises(WrongSecret, pair.old.open, sealed)

    def test_seals_once(self) -> None:
        """A second message under the same key and nonce is never made."""
        pair = Pair().swap()
        pair.new.seal(b"one")
        self.assertRaises(LocalError, pair.new.seal, b"two")

    def test_nothing_is_opened_for_the_unproven(self) -> None:
        """What somebody sealed who has not proven anything is not even looked at."""
        pair = Pair().swap()
        self.assertRaises(LocalError, pair.old.open, pair.new.seal(b"x"))
