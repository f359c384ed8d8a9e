"""One link and the peers that it carries.

Theory of operation. A link belongs to two devices; each peer on it has a number that its hello opened: odd if the
dialling side opened it, even if the other did, and never used again. Whatever comes is for the holder of its number: a
hello of ours that waits for its answer, a hello of theirs that is looked at, or a peer. Until a first hello has passed,
the other side may send one hello of at most 4 KiB, within 5 s. What the peers have to send is pulled from them by
priority, each in turn, for as long as the link is writable.
"""

from __future__ import annotations

from collections import deque
from struct import error as StructError
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from p2pship.errors import NotReached, RemoteError
from p2pship.interfaces import ILink, ILinkReceiver, Seek
from p2pship.journal import Journal, LinkRefused, PeerMoved
from p2pship.overlay.berth import Berth
from p2pship.overlay.flows import Receiver
from p2pship.overlay.greeting import Arrival, Greeting
from p2pship.overlay.local import LocalLink
from p2pship.overlay.machine import Priority
from p2pship.overlay.peer import Peer
from p2pship.overlay.vetting import Vetting
from p2pship.overlay.vigil import Vigil
from p2pship.overlay.wire import (
    LINK,
    MAX_HELLO,
    MAX_NUMBER,
    MEDIA_HEADER,
    BadFrame,
    Bye,
    Ending,
    Frame,
    Hello,
    Parcel,
    Ping,
    Pong,
    encode,
    parse,
    short,
)

HELLO_SECONDS = 5.0
"Seconds until a hello has to have passed, and that a link without a peer is kept."

MAX_PEERS = 64
"Numbers in use on one link: a household of eight that all talk to a household of eight."

IDLE_SECONDS = 300.0
"Seconds that a link is kept though nothing is under way: the next call is likely to go the same way."

IDLE_CHECK = 30.0
"Seconds between looks at whether something is under way."

PRIORITIES = tuple(Priority)
"Most urgent first: iterating over the class itself takes ten times as long."

_unpack_media = MEDIA_HEADER.unpack_from


class Holder(Protocol):
    """Who holds a peer number on a link."""

    def frame_received(self, number: int, frame: Frame) -> None:
        """Take a frame for the number; a RemoteError ends the link."""

    def closed(self, reason: str, ending: Ending | None) -> None:
        """Hear that the number is gone: with the other side's goodbye, or, where that is None, without."""


class House(Protocol):
    """What a link asks of those who keep all of them."""

    def arrival(self, conduit: Conduit, number: int) -> Arrival:
        """Return who deals with the hello by which the other side opened a number."""

    def attached(self, conduit: Conduit, peer: Peer) -> None:
        """Hear that a peer uses the link from now on."""

    def settled(self, conduit: Conduit) -> None:
        """Hear that other hellos can be sent over the link from now on."""

    def astray(self, conduit: Conduit, seek: Seek) -> None:
        """Hear that the link has lost the other side, and wants to be told where it is found."""

    def lost(self, conduit: Conduit) -> None:
        """Hear that the link is gone."""


@implementer(ILinkReceiver)
class Conduit:
    """Takes apart what a link brings, and puts together what it is to carry."""

    def __init__(self, reactor: IReactorTime, journal: Journal, link: ILink, house: House) -> None:
        self.link = link
        self.greeted = False
        "whether a hello has passed, as far as this side knows"
        self.settled = False
        "whether both sides know that: either may open more numbers then"
        self.over = False
        "whether the link is gone, or about to be"
        self.since = reactor.seconds()
        "when the link was made (Unix time)"
        self.berths: deque[Berth] = deque()
        "the peers' places, whose turn is next first"
        self._reactor = reactor
        self._journal = journal
        self._house = house
        self._holders: dict[int, Holder] = {}
        self._flows: dict[int, dict[int, Receiver]] = {}
        self._next_number = 1 if link.dialled else 2
        self._their_last = 0
        self._pumping = False
        self.active = self.since
        "when something was last under way, as far as was looked (Unix time)"
        self._vigil = Vigil(reactor, link, self)
        self._limit, link.limit = link.limit, MAX_HELLO
        self._door: IDelayedCall | None = reactor.callLater(HELLO_SECONDS, self._look_at_door)
        self._idle: IDelayedCall | None = None

    @property
    def usable(self) -> bool:
        """Whether another peer's hello may be sent over it."""
        return self.settled and not self._vigil.stalled and self._has_room

    @property
    def idle(self) -> bool:
        """Whether a hello has passed and nothing is under way."""
        return self.greeted and not any(berth.peer.busy for berth in self.berths)

    @property
    def _has_room(self) -> bool:
        return not self.over and self._next_number <= MAX_NUMBER and len(self._holders) < MAX_PEERS

    @property
    def name(self) -> str:
        """What to call the link in the log."""
        return str(self.link.remote or self.link.path)

    # ILinkReceiver

    def frame_received(self, frame: bytes) -> None:
        if self.over:
            return
        self._vigil.heard()
        try:
            self._take(parse(frame))
        except RemoteError as error:
            self.refuse(str(error))

    def datagram_received(self, datagram: bytes) -> None:
        self._vigil.heard()
        try:
            number, flow = _unpack_media(datagram)
            receiver = self._flows[number][flow]
        except (StructError, KeyError):
            self._journal.count("overlay.stray_datagram")
            return
        receiver(flow, datagram[4:])

    def link_writable(self) -> None:
        self.pump()

    def path_changed(self, path: str) -> None:
        """Say so in the log; a peer's path is asked of its link."""
        for berth in self.berths:
            self._journal.tell(PeerMoved(berth.peer.identity.aor, berth.peer.aor, path))

    def link_stalled(self) -> None:
        self._vigil.stall()

    def link_astray(self, seek: Seek) -> None:
        self._house.astray(self, seek)

    def link_lost(self, reason: str) -> None:
        if not self.over:
            self._gone(reason, None)

    # what comes

    def _take(self, parcel: Parcel) -> None:
        frame, holder = parcel.frame, self._holders.get(parcel.peer)
        if isinstance(frame, Bye):
            self._goodbye(parcel.peer, frame)
        elif not self.greeted and not isinstance(frame, Hello) and holder is None:
            raise BadFrame(f"a {type(frame).__name__} frame came before a hello had passed")
        elif parcel.peer == LINK:
            if isinstance(frame, Ping):
                self.send(Pong(frame.token), LINK)
        elif holder is not None:
            if frame.LAYOUT.counted:
                self.touch()
            holder.frame_received(parcel.number, frame)
        elif isinstance(frame, Hello):
            self._opened(parcel.peer, frame)
        else:
            self._journal.count("overlay.stray_frame")

    def _opened(self, number: int, hello: Hello) -> None:
        if number % 2 == self._next_number % 2 or number <= self._their_last:
            raise BadFrame(f"peer number {number} cannot be opened")
        if not self.greeted and (self._holders or self._their_last):
            raise BadFrame("another hello came before the first had passed")
        if len(self._holders) >= MAX_PEERS:
            raise BadFrame("too many peers for one link")
        self._their_last = number
        arrival = self._holders[number] = self._house.arrival(self, number)
        arrival.begin(hello.body)

    def _goodbye(self, number: int, bye: Bye) -> None:
        ending = Ending.ENDED if bye.ending == Ending.ENDED else Ending.PAUSED
        if number == LINK:
            self._close(bye.reason, ending)
            return
        holder = self._holders.get(number)
        if holder is not None:
            self.release(number)
            holder.closed(bye.reason, ending)

    # what is sent

    def send(self, frame: Frame, number: int) -> None:
        """Send a frame that is not counted, at once."""
        self.link.send(encode(frame, number))

    def pump(self) -> None:
        """Send what the peers have, as long as the link is writable."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self.link.writable and not self.over and self._send_next():
                pass
        finally:
            self._pumping = False
        self.watch_changed()

    def _send_next(self) -> bool:
        for priority in PRIORITIES:
            for berth in tuple(self.berths):
                numbered = berth.pull(priority)
                if numbered is not None:
                    self.touch()
                    self._last_in_turn(berth)
                    self.link.send(encode(numbered.frame, berth.number, numbered.number))
                    return True
        return False

    def _last_in_turn(self, berth: Berth) -> None:
        if len(self.berths) > 1 and berth in self.berths:
            self.berths.remove(berth)
            self.berths.append(berth)

    def touch(self) -> None:
        """Note that something is under way now."""
        self.active = self._reactor.seconds()

    # who holds which number

    def other_end(self, number: int) -> Berth | None:
        """Return the place of this number at the other end of a local link; None if there is none in this node."""
        other = self.link.far_receiver if isinstance(self.link, LocalLink) else None
        there = other._holders.get(number) if isinstance(other, Conduit) else None
        return there if isinstance(there, Berth) else None

    def take_number(self, holder: Holder) -> int:
        """Give a holder the next number of ours.

        :raises NotReached: if there is none left, or the link is gone.
        """
        if not self._has_room:
            raise NotReached("the link takes no more peers")
        number, self._next_number = self._next_number, self._next_number + 2
        self._holders[number] = holder
        return number

    def attach(self, number: int, peer: Peer, corked: bool) -> None:
        """Let a peer, whose hello has passed, hold a number; see :class:`Berth` for ``corked``."""
        berth = Berth(self, number, peer, corked)
        self._holders[number] = berth
        self._flows[number] = peer.receivers
        self.berths.append(berth)
        self.active = self._reactor.seconds()
        if not self.greeted:
            self.greeted = True
            self.link.limit = self._limit
            self._idle = self._reactor.callLater(IDLE_CHECK, self._look_idle)
        if not corked:
            self.settle()
        peer.attach(berth)
        self._house.attached(self, peer)

    def greet(self, peer: Peer, vetting: Vetting, person: bytes | None) -> Deferred[None]:
        """Send a hello for a peer; fires when that has the link, fails with a RemoteError.

        ``person`` is the identity key that must answer, None if any will do.

        :raises NotReached: if the link takes no more peers.
        """
        return Greeting(self, peer, vetting, person).begin()

    def settle(self) -> None:
        """Note that both sides know that a hello has passed."""
        if not self.settled:
            self.settled = True
            self._house.settled(self)

    def leave(self, number: int, ending: Ending, reason: str) -> None:
        """Give a number back, and tell the other side."""
        if number in self._holders and not self.over:
            self.send(Bye(ending, short(reason)), number)
        self.release(number)

    def release(self, number: int) -> None:
        """Give a number back; a link that we dialled and nobody uses is closed."""
        holder = self._holders.pop(number, None)
        self._flows.pop(number, None)
        if isinstance(holder, Berth):
            self.berths.remove(holder)
            self.watch_changed()
        if self._holders or self.over:
            return
        if self.link.dialled:
            self.bid_farewell("nobody uses the link", Ending.PAUSED)
        elif self._door is None:
            self._door = self._reactor.callLater(HELLO_SECONDS, self._look_at_door)

    def watch_changed(self) -> None:
        """Watch the link closely while something has to come over it: a dead one shows by that alone."""
        self._vigil.watch(not self.over and any(berth.peer.expects for berth in self.berths))

    # ends

    def _look_at_door(self) -> None:
        self._door = None
        if not self.greeted:
            self.refuse(f"no hello passed within {HELLO_SECONDS:.0f} s")
        elif not self._holders:
            self.bid_farewell("nobody uses the link", Ending.PAUSED)

    def _look_idle(self) -> None:
        now = self._reactor.seconds()
        if any(berth.peer.busy for berth in self.berths):
            self.active = now
        if now - self.active >= IDLE_SECONDS:
            self.bid_farewell("nothing was under way", Ending.PAUSED)
            return
        self._idle = self._reactor.callLater(IDLE_CHECK, self._look_idle)

    def refuse(self, reason: str) -> None:
        """Close the link because the other side broke a rule, and tell only the journal why."""
        if not self.over:
            self.tell_refused(reason)
            self._close(reason, None)

    def tell_refused(self, reason: str) -> None:
        """Tell the journal that the link, a hello on it, or what a peer sends over it, is refused."""
        self._journal.tell(LinkRefused(self.name, reason))

    def turn_away(self, number: int) -> None:
        """Be done with a hello that was refused: a link on which none has passed is closed."""
        if self.greeted:
            self.release(number)
            return
        self._holders.pop(number)
        self._close("its hello was refused", None)

    def give_up(self, reason: str) -> None:
        """Close a link over which nothing comes."""
        if not self.over:
            self._close(reason, None)

    def bid_farewell(self, reason: str, ending: Ending) -> None:
        """Close the link and say what that means; whoever still uses it hears the same."""
        if not self.over:
            self.send(Bye(ending, short(reason)), LINK)
            self._close(reason, ending)

    def _close(self, reason: str, ending: Ending | None) -> None:
        self._gone(reason, ending)
        self.link.close(reason)

    def _gone(self, reason: str, ending: Ending | None) -> None:
        self.over = True
        self._vigil.end()
        for timer in (self._door, self._idle):
            if timer is not None and timer.active():
                timer.cancel()
        holders, self._holders = self._holders, {}
        self._flows.clear()
        self.berths.clear()
        self._house.lost(self)
        for holder in holders.values():
            holder.closed(reason, ending)
