"""Which way an association's packets go, and which other ways there are (RFC 8046, RFC 8047).

Theory of operation. A path is one of our addresses and one of the other side's locators. Everything goes along one path; one pair of
SAs serves whichever it is. A locator is used once it is *verified*: a nonce that was sent there alone has come back (§5.4). What must
not wait for that, because the old locator is gone, is sent within the *credit* of what the other side has sent before (§5.6), and so are
the questions themselves, so that nobody can have a third party flooded.

- We have other addresses: the other side is told all of them (§5.2). If the one in use is gone, the packet that says so goes along
  every path that is left, and data along the first of them at once. A stranger, who has proven a key and said no hello, learns only the one in use.
- The other side has other locators: a preferred one that is not the one in use is verified, and used then.
- Nothing comes, though somebody listens: :meth:`Paths.silent` asks along every other path, and the first that answers is used.
- Something true comes by another path than the one in use: the other side has moved, and we follow, after verifying what is new.
  When both move at once they would follow each other in a circle; so the Initiator does not follow away from a path that was
  confirmed a moment ago.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from p2pship.address import is_loopback
from p2pship.bearer.hip.announcement import Announcement
from p2pship.bearer.hip.credit import Credit
from p2pship.bearer.hip.locatorset import UNLIMITED, LocatorField, decode_locators, for_data
from p2pship.bearer.hip.numbers import ParameterType
from p2pship.bearer.hip.packet import BadPacket, Packet
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.peerlocator import PeerLocator, Status
from p2pship.bearer.hip.peerlocators import PeerLocators
from p2pship.bearer.hip.persecond import PerSecond
from p2pship.bearer.hip.questions import Questions
from p2pship.bearer.hip.updates import MOST_TRIES, Updates, echoes

MOST_PROBED = 8
"Paths that are asked at once: each costs both sides a signature."

QUESTION = 256
"Octets of a question, with the shortest keys that there are."

MOST_LED = 8
"""New places a second that are asked because the other side names them, and as many because it seems to send from there: none of it is proven,
and the latter anybody can do who copies packets."""

LED_TRIES = 3
"""How often such a place is asked, at most: nobody may have us send many times what they send themselves to a third party. The other side says
or sends it again if it is really there."""

PAUSE = 0.25
"Seconds between two questions to one and the same new address."

CONFIRMED_TIME = 2.0
"Seconds for which a path that was confirmed is not left to follow the other side."

ACKNOWLEDGED_TIME = 0.25
"The same where an answer alone came by it: the other side sends along the one before until it has data by this one."


class Paths:
    """The paths of one association."""

    def __init__(
        self,
        updates: Updates,
        path: Path,
        leads: bool,
        random: Callable[[int], bytes],
        reach: Callable[[str, int], Sequence[Path]],
        moved: Callable[[Path, bool], None],
        spi: Callable[[], int],
        credit: Credit,
    ) -> None:
        """Begin on the path of the base exchange, which is verified by it.

        ``leads`` tells whether we were the Initiator. ``reach`` returns the paths to an address and port, from each of our own
        addresses that may lead there, best first. ``moved`` is told the path that is used from now on, and whether it is verified; ``spi`` says to
        which the other side sends now. ``credit`` is what may be sent to where it was never seen.
        """
        self._spi = spi
        self._credit = credit
        self._updates = updates
        updates.may_ask, updates.ways = self._may_ask, self._ways
        self._leads = leads
        self._reach = reach
        self._moved = moved
        self.current = path
        self._stays_until = float("-inf")
        self._questions = Questions(updates, spi, random, self._answered)
        self._named, self._led = PerSecond(MOST_LED), PerSecond(MOST_LED)
        self._announcement = Announcement(updates, path.own_host, spi, self._heard_of)
        self._found: Path | None = None
        self._preferred = b""
        self.confides = False
        "whether the other side may learn all our addresses: it has said hello"
        self._known = PeerLocators(path)

    # what is known

    def locators(self) -> list[PeerLocator]:
        """Return the other side's locators."""
        return list(self._known)

    def add(self, addresses: Sequence[tuple[str, int]], now: float) -> None:
        """Learn from elsewhere where the other side may be, and ask there: nothing of it is verified."""
        learnt = [each for each in addresses if self._known.learn(*each, self.current) is not None]
        paths = [path for host, port in learnt for path in self._reach(host, port)]
        self.ask(now, [*paths, *self.others(now)])

    def others(self, now: float) -> list[Path]:
        """Return the other paths that there may be: verified locators first, and of these the one in use."""
        usable = self._known.usable(self.current, now)
        paths = [path for each in usable for path in self._reach(each.host, each.port)]
        return [path for path in dict.fromkeys(paths) if path != self.current]

    def _ways(self, now: float) -> list[Path]:
        """Return the paths from the addresses that the other side may learn of, the one in use first."""
        own = self.current.own_host
        others = [path for path in self.others(now) if self.confides or path.own_host == own]
        return [self.current, *others][:MOST_PROBED]

    # our own addresses

    def own_changed(self, hosts: Sequence[str], now: float) -> None:
        """Hear which addresses we have now; the one in use may be gone."""
        usable = [host for host in hosts if is_loopback(host) == is_loopback(self.current.own_host)]
        gone = self._is_closed(self.current)
        if not gone and (not self.confides or frozenset(usable) == self._announcement.hosts):
            return
        others = self.others(now)
        if gone and others:
            self._leave_for(others[0], now)
        if not self.confides:
            usable = [self.current.own_host]
            others = [path for path in others if path.own_host in usable]
        if usable and (others or not gone):
            self._announce(usable, others if gone else [self.current], now)

    def _leave_for(self, path: Path, now: float) -> None:
        """Use another path, as the one in use is gone; if its locator is not verified, ask there."""
        verified = self._known.is_verified(path)
        self._use(path, verified)
        if not verified:
            self.ask(now, [path])

    def _may_ask(self, path: Path, octets: int, now: float) -> bool:
        """Tell whether an UPDATE of so many octets may be sent along a path, and count it where the other side was never seen."""
        if self._known.is_verified(path):
            return True
        if not self._can_ask(path, now, octets):
            return False
        self._credit.ask(octets, now)
        locator = self._known.at(path)
        if locator is not None:
            locator.asked += 1
        return True

    def _can_ask(self, path: Path, now: float, octets: int = QUESTION) -> bool:
        """Tell whether a question of so many octets along a path would be sent."""
        if self._known.is_verified(path):
            return True
        locator = self._known.at(path)
        return (locator is None or locator.may_be_asked(now)) and self._credit.covers(octets, now)

    def _is_closed(self, path: Path) -> bool:
        """Tell whether the socket of a path is no more: its address may have gone and come back."""
        return not any(each.carrier is path.carrier for each in self._reach(path.host, path.port))

    def _announce(self, hosts: Collection[str], paths: Sequence[Path], now: float) -> None:
        """Tell the other side all our addresses, and that the one in use is preferred."""
        self._announcement.tell(hosts, self.current.own_host, paths[:MOST_PROBED], now)

    def tell_again(self, now: float) -> None:
        """Hear that the other side was heard: what it was told where it is no more is told it again where it is."""
        if not self._announcement.is_heard and self._found is not None:
            self._announce(self._announcement.hosts, [self._found], now)
        self._found = None

    def _heard_of(self, path: Path, now: float) -> None:
        """Hear that the other side has our addresses; where its answer seems to come from, it need not be."""
        if path != self.current:
            self._stays_until = now + ACKNOWLEDGED_TIME
            self._follow(path, now)

    # the other side's addresses

    def update_received(self, packet: Packet, number: int | None, path: Path, now: float) -> bool:
        """Take what an UPDATE says of locators, and answer it if it has a ``number``; returns whether it said something.

        :raises BadPacket: if it cannot be read.
        """
        contents = packet.find(ParameterType.LOCATOR_SET)
        if contents is None:
            return False
        fields = _usable_fields(contents)
        listed = {(field.host, field.port or path.port) for field in fields}
        if path == self.current:  # it leads there, whatever a router makes of the other side's addresses
            listed.add((path.host, path.port))
        self._known.deprecate_others(listed)
        self._answer(number, self._named_in(fields, path, now), packet, path, now)
        return True

    def exchanged(self, packet: Packet, path: Path, now: float) -> None:
        """Take what an I2 or R2 says of locators, and ask at the preferred one, if that is another (RFC 8047 §4.2.8).

        What cannot be read is passed over: what the packet has made stands.
        """
        with suppress(BadPacket):
            fields = _usable_fields(packet.find(ParameterType.LOCATOR_SET) or b"")
            target = self._named_in(fields, path, now)
            locator = self._known.at(target)
            if locator is not None and not locator.is_verified and self._named.admits(now):
                self.ask(now, [target], LED_TRIES)

    def _named_in(self, fields: Sequence[LocatorField], path: Path, now: float) -> Path:
        """Learn the locators of a set that came by a path, and return how a preferred one is reached: that path if none is.

        If it is where we send to already, it stays our own choice from which address of ours.
        """
        for field in fields:
            until = float("inf") if field.lifetime == UNLIMITED else now + field.lifetime
            self._known.learn(field.host, field.port or path.port, self.current, until)
        preferred = [(field.host, field.port or path.port) for field in fields if field.preferred]
        for way in (self.current, path):
            if (way.host, way.port) in preferred:
                return way
        return next((way for at in preferred for way in self._reach(*at)), path)

    def _answer(self, number: int | None, target: Path, packet: Packet, path: Path, now: float) -> None:
        """Acknowledge an UPDATE with LOCATOR_SET: to a new preferred locator with a nonce to come back (RFC 8046 §3.2.1).

        What acknowledges it once more goes to wherever it comes from once more, which need not be there: so that has no nonce.
        """
        acks, echoed = (() if number is None else (number,)), echoes(packet)
        locator = self._known.at(target)
        is_new = locator is not None and locator.status is not Status.ACTIVE
        asks = is_new and self._named.admits(now) and self._can_ask(target, now)
        if acks and not (asks and target == path):
            self._updates.answer(*acks, echoed, path)
            acks = ()
        if asks:
            self._questions.give_up(target)
            self._preferred = self._questions.ask(target, now, LED_TRIES, acks, echoed if acks else ())
            for each in acks:
                self._updates.keep_answer(each, echoed)
        if locator is None or is_new:
            self._leave_deprecated(path, now)
        elif target != self.current:
            self._use(target)

    def _leave_deprecated(self, path: Path, now: float) -> None:
        """If the other side is no more where we send to, use a verified path, best that by which it says so, or else that one within the credit.

        What it prefers may lead nowhere, as an address behind a router, and is used when it is verified (RFC 8046 §5.5, step 2).
        """
        current = self._known.at(self.current)
        if current is not None and current.status is not Status.DEPRECATED:
            return
        ways = path, *self.others(now)
        verified = next((each for each in ways if self._known.is_verified(each)), None)
        if verified is None:
            self._follow(path, now)
        self._use(verified or path, verified is not None)

    # asking

    def silent(self, now: float) -> None:
        """Hear that nothing comes, though something should: ask along every path, also the one in use."""
        self.ask(now, [self.current, *self.others(now)])

    def ask(self, now: float, paths: Sequence[Path] | None = None, most_tries: int = MOST_TRIES) -> None:
        """Ask along some paths whether the other side is there; all others by default."""
        asked = self._questions.paths
        wanted = dict.fromkeys(self.others(now) if paths is None else paths)
        new = [path for path in wanted if path not in asked and self._can_ask(path, now)]
        for path in new[:MOST_PROBED]:
            self._questions.ask(path, now, most_tries)

    def _answered(self, path: Path, now: float) -> None:
        """Hear that a nonce has come back: the other side is where we sent it."""
        locator = self._known.at(path)
        if locator is not None and locator.status is not Status.DEPRECATED:
            locator.status = Status.ACTIVE
        if self._leads:
            self._stays_until = now + CONFIRMED_TIME
        self._questions.give_up_others(self._preferred)
        self._found = path
        self._use(path)

    # following

    def heard_elsewhere(self, path: Path, now: float) -> None:
        """Hear that something true, newer than all before, came by another path than the one in use."""
        if not now < self._stays_until <= now + CONFIRMED_TIME:  # the clock may have been set back
            self._follow(path, now)

    def _follow(self, path: Path, now: float) -> None:
        """Use a path by which something true came, once its locator is verified."""
        known = self._known.at(path)
        until = known.until if known is not None and known.until > now else float("inf")
        locator = self._known.learn(path.host, path.port, self.current, until, is_named=False)
        if locator is None:
            return
        if locator.status is Status.ACTIVE:
            self._use(path)
        elif abs(now - locator.followed_at) >= PAUSE and self._led.admits(now):
            locator.followed_at = now
            self.ask(now, [path], LED_TRIES)

    def _use(self, path: Path, verified: bool = True) -> None:
        """Send along a path from now on."""
        self.current = path
        self._moved(path, verified)

    # time

    def due(self) -> float | None:
        """Return when the locator in use ends; None if it does not, or has."""
        locator = self._known.at(self.current)
        if locator is None or locator.status is Status.DEPRECATED or locator.until == float("inf"):
            return None
        return locator.until

    def timer_fired(self, now: float) -> None:
        """Leave the locator in use for another one, if there is one, when it ends (RFC 8046 §5.5, step 4)."""
        due = self.due()
        locator = self._known.at(self.current)
        if due is None or locator is None or now < due:
            return
        locator.status = Status.DEPRECATED
        for path in self.others(now)[:1]:
            self._leave_for(path, now)


def _usable_fields(contents: bytes) -> list[LocatorField]:
    """Return the locators of a LOCATOR_SET that data may be sent to; raises BadPacket if it cannot be read."""
    return [field for field in decode_locators(contents) if for_data(field)]
