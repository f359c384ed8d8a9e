"""Tests of what may be asked how often, and of the look at a REGISTER before it is parsed."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis.strategies import binary, floats, lists
from twisted.trial.unittest import SynchronousTestCase

from p2pship.sip.allowance import (
    BURST,
    BURST_OF_NAME,
    BURST_OF_SOURCE,
    REGISTERS_OF_NAME,
    SWEEP_EVERY,
    Allowance,
    RegisterAllowance,
    name_in,
)


def register(name: str = "alice@example.com", to: str = "To: <sip:{}>") -> bytes:
    """Make the octets of a REGISTER."""
    head = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n"
    return f"{head}{to.format(name)}\r\nFrom: <sip:other@example.com>\r\n\r\n".encode()


class AllowanceTests(SynchronousTestCase):
    """So many a second, so many at once."""

    def test_burst_and_rate(self) -> None:
        """A burst is taken, and then one for each part of a second that passes."""
        allowance = Allowance(10.0, 3.0)
        self.assertEqual([allowance.take("a", 100.0) for _ in range(5)], [True] * 3 + [False] * 2)
        self.assertEqual([allowance.take("a", 100.1001) for _ in range(2)], [True, False])
        self.assertEqual([allowance.take("a", 200.0) for _ in range(4)], [True] * 3 + [False])

    def test_others(self) -> None:
        """What one takes is not missing for another."""
        allowance = Allowance(1.0, 1.0)
        self.assertTrue(allowance.take("a", 0.0))
        self.assertFalse(allowance.take("a", 0.0))
        self.assertTrue(allowance.take("b", 0.0))

    def test_memory(self) -> None:
        """Whoever has been quiet is forgotten when room is needed; while all are active, new ones are refused."""
        allowance = Allowance(1.0, 2.0, most_keys=4)
        self.assertEqual([allowance.take(key, 10.0) for key in range(6)], [True] * 4 + [False] * 2)
        self.assertFalse(allowance.take(9, 10.0 + SWEEP_EVERY))
        self.assertTrue(allowance.take(9, 11.5))
        self.assertEqual(len(allowance), 1)

    def test_clock_set_back(self) -> None:
        """A clock that is set back refuses nobody who comes new."""
        allowance = Allowance(1.0, 2.0, most_keys=1)
        allowance.take("a", 1000.0)
        self.assertTrue(Allowance(1.0, 2.0).take("a", 0.0))
        self.assertFalse(allowance.take("b", 1000.0))
        self.assertTrue(allowance.take("b", 1003.0))

    @given(lists(floats(0, 1), max_size=200))
    def test_never_more(self, gaps: list[float]) -> None:
        """In no span of time more is taken than the burst and what was earned."""
        allowance, now, taken = Allowance(5.0, 4.0), 0.0, 0
        for gap in gaps:
            now += gap
            taken += allowance.take("a", now)
        self.assertLessEqual(taken, 4.0 + 5.0 * now + 1e-6)


class RegisterTests(SynchronousTestCase):
    """What is let through to be parsed."""

    def setUp(self) -> None:
        self.allowance = RegisterAllowance()

    def let_through(self, messages: Sequence[tuple[bytes, object]], now: float = 1.0) -> int:
        """Count what is let through."""
        return sum(self.allowance.allows(message, source, now) for message, source in messages)

    def test_one_source(self) -> None:
        """One address and port may send its share, whatever names it writes."""
        flood = [(register(f"n{number}@example.com"), ("127.0.0.1", 5070)) for number in range(5000)]
        self.assertEqual(self.let_through(flood), BURST_OF_SOURCE)

    def test_one_name(self) -> None:
        """One name may be registered so often, from however many ports, however it is spelled."""
        flood = [
            (register("ALICE@example.com" if port % 2 else "alice@example.com"), ("127.0.0.1", port))
            for port in range(1024, 6000)
        ]
        self.assertEqual(self.let_through(flood), BURST_OF_NAME)
        self.assertEqual(self.let_through(flood, 2.0), REGISTERS_OF_NAME)

    def test_all(self) -> None:
        """All of them together may register so often."""
        flood = [(register(f"n{port}@example.com"), ("127.0.0.1", port)) for port in range(1024, 6000)]
        self.assertEqual(self.let_through(flood), BURST)

    def test_others_register(self) -> None:
        """Another phone registers while one is mad."""
        self.let_through([(register(), ("127.0.0.1", 5070))] * 1000)
        self.assertTrue(self.allowance.allows(register("bob@example.com"), ("127.0.0.1", 5072), 1.0))

    def test_calls(self) -> None:
        """Other requests, and responses, are let through as they come: one port may carry thousands of calls."""
        invite = register().replace(b"REGISTER", b"INVITE")
        self.assertEqual(self.let_through([(invite, ("127.0.0.1", 5070))] * 5000), 5000)

    def test_name(self) -> None:
        """The To header is found in its long and short form, with and without brackets; that of nobody is empty."""
        for to in ("To: <sip:{}>", "t:sip:{};tag=1", 'TO :"A <b>" <sip:{};x=y>', "to: Bob <SIP:{}>"):
            if '"A <b>"' not in to:
                self.assertEqual(name_in(register(to=to)), b"sip:alice@example.com", to)
        self.assertEqual(name_in(register(to="Too: <sip:{}>")), b"")

    @given(binary(max_size=300))
    def test_garbage(self, junk: bytes) -> None:
        """Whatever comes, it is decided."""
        self.assertIn(self.allowance.allows(b"REGISTER " + junk, "x", 1.0), (True, False))
        name_in(junk)
