"""Which addresses that the DNS named may be asked, and that nothing gets around it."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHostResolution, IReactorPluggableNameResolver
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from p2pship.network import Interface
from p2pship.testing.network import StaticNetwork, loopback
from p2pship.trust.reach import MOST_RESOLVED, MOST_WAITING, GuardedReactor, in_the_internet, within_reach

HOME = Interface("eth0", 2, (("192.168.1.2", 24), ("fd00:1::2", 64)), loopback=False, multicast=True)


class WithinReachTests(SynchronousTestCase):
    """Public addresses, and those of our own networks."""

    def test_addresses(self) -> None:
        """An address in a private network is for those on that network; one's own machine and nobody's addresses are for nobody."""
        may_ask = within_reach(StaticNetwork(loopback(), HOME).interfaces)
        for host in ("198.51.99.7", "2a00::7", "192.168.1.77", "fd00:1::77", "64:ff9b::c633:6307"):
            self.assertTrue(may_ask(host), host)
        for host in (
            "192.168.2.77",
            "10.0.0.1",
            "fd00:2::77",
            "fe80::1",
            "127.0.0.1",
            "::1",
            "169.254.169.254",
        ):
            self.assertFalse(may_ask(host), host)
        for host in ("0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "100.64.0.1"):
            self.assertFalse(may_ask(host), host)
        for host in (
            "64:ff9b::7f00:1",
            "64:ff9b::c0a8:24d",
            "64:ff9b:1::c0a8:24d",
            "2002:7f00:1::1",
        ):  # 127.0.0.1 and 192.168.2.77 in other clothes
            self.assertFalse(may_ask(host), host)

    def test_in_the_internet(self) -> None:
        """Nodes are asked at public addresses alone, be they in the clothes that a translator gives them."""
        for host in ("198.51.99.7", "2a00::7", "64:ff9b::c633:6307"):
            self.assertTrue(in_the_internet(host), host)
        for host in ("192.168.1.77", "fd00:1::77", "fe80::1", "127.0.0.1", "64:ff9b::c0a8:14d", "100.64.0.1"):
            self.assertFalse(in_the_internet(host), host)

    def test_network_changes(self) -> None:
        """What counts is the network in which we are when we ask."""
        network = StaticNetwork(loopback())
        may_ask = within_reach(network.interfaces)
        self.assertFalse(may_ask("192.168.1.77"))
        network.change(loopback(), HOME)
        self.assertTrue(may_ask("192.168.1.77"))


class ResolverThatChanges:
    """Resolves a name to other addresses each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    def resolveHostName(self, receiver: Any, name: str, *args: Any, **more: Any) -> Any:
        """Tell the next ones."""
        receiver.resolutionBegan(None)
        for host in self.answers.pop(0):
            receiver.addressResolved(IPv4Address("TCP", host, 443))
        receiver.resolutionComplete()


class Receiver:
    """Keeps the addresses."""

    def __init__(self) -> None:
        self.name = ""
        self.told: list[str] = []
        self.complete = False

    def resolutionBegan(self, resolution: Any) -> None:
        """Begin."""
        self.name = resolution.name if resolution else ""

    def addressResolved(self, address: Any) -> None:
        """Keep it."""
        self.told.append(address.host)

    def resolutionComplete(self) -> None:
        """End."""
        self.complete = True


@implementer(IHostResolution)
class Resolution:
    """A resolution that goes on."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Go on."""


class SlowResolver:
    """Resolves nothing by itself."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def resolveHostName(self, receiver: Any, name: str, *args: Any, **more: Any) -> Resolution:
        """Keep who is to be told."""
        self.asked.append((name, receiver))
        return Resolution(name)


def resolved(guarded: GuardedReactor, name: str) -> list[str]:
    """Return to what a name leads, with a resolver that answers at once."""
    receiver = Receiver()
    guarded.nameResolver.resolveHostName(receiver, name)  # type: ignore[arg-type]
    assert receiver.complete
    return receiver.told


class GuardedReactorTests(SynchronousTestCase):
    """A reactor whose names lead only where they may."""

    def guarded(self, *answers: list[str]) -> GuardedReactor:
        """Return one whose resolver gives these answers, one after the other."""
        inner: Any = MemoryReactorClock()
        inner.nameResolver = ResolverThatChanges(*answers)
        return GuardedReactor(inner, within_reach(StaticNetwork(loopback(), HOME).interfaces))

    def test_interface(self) -> None:
        """It is a reactor with a name resolver, and else the reactor that it was given."""
        guarded = self.guarded()
        verifyObject(IReactorPluggableNameResolver, guarded)
        guarded.advance(5)
        self.assertEqual(guarded.seconds(), 5)
        before = GuardedReactor(reactor, lambda host: True)
        given: Any = reactor
        resolver = given.nameResolver
        self.assertIs(before.installNameResolver(resolver), resolver)

    def test_left_out(self) -> None:
        """Of several addresses, those are left out that may not be asked."""
        guarded = self.guarded(["127.0.0.1", "198.51.99.7", "10.0.0.1", "192.168.1.9"])
        self.assertEqual(resolved(guarded, "rv.example"), ["198.51.99.7", "192.168.1.9"])

    def test_changed_since(self) -> None:
        """A name that had a good address once is looked at again each time it is connected to."""
        guarded = self.guarded(["198.51.99.7"], ["127.0.0.1"])
        self.assertEqual(resolved(guarded, "rv.example"), ["198.51.99.7"])
        self.assertEqual(resolved(guarded, "rv.example"), [])

    def test_slow_names(self) -> None:
        """Names that are not resolved, as their domain may intend, hold up those of other domains here, but not other parts of the node."""
        inner: Any = MemoryReactorClock()
        inner.nameResolver = slow = SlowResolver()
        guarded = GuardedReactor(inner, lambda host: True)
        guarded.exempt.add("proxy.local")
        receivers = [Receiver() for _ in range(MOST_RESOLVED + 2)]
        for at, receiver in enumerate(receivers):
            one = guarded.nameResolver.resolveHostName(receiver, f"r{at}.example")  # type: ignore[arg-type]
            self.assertEqual(one.name, f"r{at}.example")
        self.assertEqual(len(slow.asked), MOST_RESOLVED)
        guarded.nameResolver.resolveHostName(Receiver(), "proxy.local")  # type: ignore[arg-type]
        self.assertEqual([name for name, _ in slow.asked[MOST_RESOLVED:]], ["proxy.local"])
        for at in range(2):
            slow.asked[at][1].resolutionComplete()
        self.assertEqual([name for name, _ in slow.asked[-2:]], ["r6.example", "r5.example"])
        slow.asked[-1][1].resolutionComplete()
        self.assertEqual([at for at, each in enumerate(receivers) if each.complete], [0, 1, 5])

    def test_many_wait(self) -> None:
        """However many names are not resolved, few wait: who has waited for longest hears of no address."""
        inner: Any = MemoryReactorClock()
        inner.nameResolver = slow = SlowResolver()
        guarded = GuardedReactor(inner, lambda host: True, most=1)
        receivers = [Receiver() for _ in range(MOST_WAITING + 3)]
        for at, receiver in enumerate(receivers):
            guarded.nameResolver.resolveHostName(receiver, f"r{at}.example")  # type: ignore[arg-type]
        self.assertEqual([each.name for each in receivers if each.complete], ["r1.example", "r2.example"])
        self.assertEqual(len(slow.asked), 1)
