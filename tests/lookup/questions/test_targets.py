"""Who may be asked, whatever a lookup says."""

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import is_public
from p2pship.lookup.questions.targets import (
    MOST_OF_ADDRESS,
    MOST_OF_NETWORK,
    MOST_QUESTIONS,
    MOST_WAITING,
    Target,
    Targets,
    is_usable,
)


def drained(targets: Targets) -> list[Target]:
    """Return all that are asked."""
    asked = []
    while (target := targets.next()) is not None:
        asked.append(target)
    return asked


class AddressTests(SynchronousTestCase):
    """Which addresses are asked at all."""

    def test_public(self) -> None:
        """Only machines in the Internet are: an invented address must not have us knock at our own network."""
        for host in ("8.8.8.8", "2606:4700::1111"):
            self.assertTrue(is_public(host), host)
        for host in (
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "172.16.0.1",
            "100.64.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
            "240.0.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2001::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::a00:1",
            "::10.0.0.1",
            "fec0::1",
        ):
            self.assertFalse(is_public(host), host)

    def test_private_network(self) -> None:
        """In a private network all that can be a machine are."""
        for host in ("127.0.0.1", "10.1.2.3", "fd00::1", "8.8.8.8"):
            self.assertTrue(is_usable(host), host)
        for host in ("224.0.0.1", "0.0.0.0", "255.255.255.255", "ff02::1", "::"):
            self.assertFalse(is_usable(host), host)


class TargetsTests(SynchronousTestCase):
    """How often they are asked."""

    def setUp(self) -> None:
        self.targets = Targets(is_public)

    def test_not_asked(self) -> None:
        """Addresses that may not be asked, known ones, and ports of servers are not taken."""
        self.assertTrue(self.targets.found("8.8.8.8", 5568))
        self.assertFalse(self.targets.found("8.8.8.8", 5568))
        self.assertFalse(self.targets.found("10.0.0.1", 5568))
        for port in (-1, 0, 53, 1023, 65536):
            self.assertFalse(self.targets.found("8.8.4.4", port))
        self.assertEqual(len(drained(self.targets)), 1)

    def test_one_address(self) -> None:
        """However many ports are named of an address, it gets two questions."""
        for port in range(2000, 4000):
            self.targets.found("8.8.8.8", port)
        self.assertEqual(len(drained(self.targets)), MOST_OF_ADDRESS)

    def test_repeated(self) -> None:
        """Repetitions count."""
        self.targets.found("8.8.8.8", 5568)
        [target] = drained(self.targets)
        self.assertEqual([self.targets.take(target) for _ in range(3)], [True, False, False])

    def test_one_network(self) -> None:
        """However many addresses are named of an IPv4 /24 or an IPv6 /48, it gets eight questions."""
        for n in range(1, 255):
            self.targets.found(f"8.8.8.{n}", 5568)
            self.targets.found(f"2606:4700:0:{n:x}::1", 5568)
        asked = drained(self.targets)
        self.assertEqual(len([each for each in asked if ":" in each.host]), MOST_OF_NETWORK)
        self.assertEqual(len(asked), 2 * MOST_OF_NETWORK)

    def test_search(self) -> None:
        """A search asks 64 questions at most."""
        for n in range(200):
            self.targets.found(f"8.{n}.8.8", 5568)
        self.assertEqual(len(drained(self.targets)), MOST_QUESTIONS)
        self.assertFalse(self.targets.waiting)

    def test_not_crowded_out(self) -> None:
        """Of hundreds of inventions in some dozens of networks, those that came first do not crowd out one elsewhere."""
        for network in range(60):
            for n in range(1, 20):
                self.targets.found(f"8.{network}.8.{n}", 5568)
        self.assertTrue(self.targets.found("9.9.9.9", 5568))
        self.assertIn("9.9.9.9", {each.host for each in drained(self.targets)})

    def test_one_answer(self) -> None:
        """Who tells a hundred inventions, each of another network, does not crowd out what others tell a little later."""
        for n in range(100):
            self.targets.found(f"8.{n}.8.8", 5568, told=1)
        asked = [self.targets.next() for _ in range(MOST_QUESTIONS // 2)]
        self.assertTrue(self.targets.found("9.9.9.9", 5568, told=2))
        asked.append(self.targets.next())
        self.assertEqual(asked[-1], Target("9.9.9.9", 5568, "9.9.9.0/24", 2))

    def test_bounded(self) -> None:
        """Not every address that is told is kept."""
        kept = sum(self.targets.found(f"8.{n >> 8}.{n & 255}.8", 5568) for n in range(2 * MOST_WAITING))
        self.assertEqual(kept, MOST_WAITING)
