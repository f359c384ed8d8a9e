"""A link over datagrams: frames by :mod:`p2pship.bearer.arq`, media as single datagrams. How they are sealed is its way's.

The code from :meth:`DatagramLink.taken` to the receiver, and :meth:`DatagramLink.cast`, run for every media packet.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from p2pship.bearer.arq import ARQ
from p2pship.bearer.arqreceiver import FIRST_WINDOW, FrameTooLong
from p2pship.bearer.arqwire import BadSegment
from p2pship.bearer.carried import Carried
from p2pship.bearer.fragments import BadPart, Cutter, Parts
from p2pship.bearer.framing import LARGEST_FRAME
from p2pship.bearer.pathcheck import TOKEN_SIZE
from p2pship.bearer.pathmtu import PathMTU
from p2pship.bearer.sendqueue import MOST_WAITING, WINDOW
from p2pship.bearer.silence import SilenceWatch
from p2pship.bearer.timers import Timers
from p2pship.errors import LocalError
from p2pship.interfaces import ILinkReceiver, Seek
from p2pship.journal import Journal

CLOSE_TIME = 2.0
"Seconds after ``close`` in which what was sent may arrive."

ALIVE_TIME = 15.0
"""Seconds between datagrams that keep routers from forgetting a watched link. RFC 4787 §4.3 asks them for two minutes, many
take 30 s; RFC 8445 §11 and RFC 9028 §5.3 have the same 15 s."""

_MEDIA, _PART, _SEGMENT, _ALIVE, _GOODBYE, _QUESTION, _REPLY = Carried


class Way(Protocol):
    """How datagrams get to the other side."""

    mtu: PathMTU
    base_room: int
    "octets that one datagram always carries"

    def put(self, kind: int, data: bytes) -> bool:
        """Send one datagram; one that the system does not take is lost. Returns False if it is too large for the path."""


class DatagramLink:
    """One link. A subclass says what it is, opens what comes and hears when it is gone."""

    __slots__ = (
        "_arq",
        "_begun",
        "_clock",
        "_closing",
        "_cutter",
        "_heard",
        "_journal",
        "_over",
        "_parts",
        "_put",
        "_reason",
        "_receiver",
        "_released",
        "_silence",
        "_timers",
        "_told_full",
        "_way",
    )

    name: str
    "the bearer's"

    def __init__(self, clock: IReactorTime, journal: Journal, way: Way) -> None:
        self._clock = clock
        self._journal = journal
        self._way = way
        self._put = way.put
        self._arq = ARQ(way.mtu)
        self._cutter = Cutter()
        self._parts = Parts()
        self._silence = SilenceWatch(clock, self._stalled)
        self._heard = self._silence.heard
        self._receiver: ILinkReceiver | None = None
        self._begun = False
        self._released = False
        self._told_full = False
        self._closing = False
        self._over = False
        self._reason = ""
        self._timers = Timers(clock)

    # what it is

    @property
    def writable(self) -> bool:
        return self._arq.writable

    @property
    def round_trip(self) -> float | None:
        """Seconds there and back, as frames or what made the link have measured them; None if nothing has."""
        return self._arq.round_trip

    @property
    def largest_datagram(self) -> int:
        """The most octets that ``cast`` carries in one piece; what is larger goes in parts."""
        return self._way.mtu.room

    @property
    def limit(self) -> int:
        """The most octets of a frame that is taken; a longer one ends the link."""
        return self._arq.limit

    @limit.setter
    def limit(self, octets: int) -> None:
        self._arq.limit = octets
        self._release()

    # what comes

    def taken(self, kind: int, data: bytes) -> None:
        """Take what a datagram of the other side carries."""
        self._heard()
        if kind != _MEDIA:
            self._take(kind, data)
        elif self._begun and self._receiver is not None and not self._closing:
            self._receiver.datagram_received(data)

    def _take(self, kind: int, data: bytes) -> None:
        try:
            if kind == _SEGMENT:
                self._arq.received(data, self._clock.seconds())
                self._deliver()
            elif kind == _PART:
                self._take_part(data)
            elif kind == _GOODBYE:
                self._finish("the other side closed the link")
            elif kind == _QUESTION and len(data) == TOKEN_SIZE:
                self._put(_REPLY, data)
        except (BadSegment, BadPart):
            self._journal.count(f"{self.name}.malformed")

    def _take_part(self, data: bytes) -> None:
        if not self._released or self._receiver is None or self._closing:
            return
        whole = self._parts.add(data)
        if whole is not None:
            self._receiver.datagram_received(whole)

    def _deliver(self) -> None:
        """Give the receiver what is complete; who has closed the link throws it away."""
        if not self._begun:
            return
        try:
            for frame in self._arq.frames():
                if self._receiver is not None and not self._closing:
                    self._receiver.frame_received(frame)
        except FrameTooLong as error:
            self.abort(str(error))

    def batch_ended(self) -> None:
        """Answer what came; see :class:`~p2pship.bearer.datagramport.Party`."""
        if self._over:
            return
        self._flush()
        if self._arq.ended and not self._over:
            self._put(_GOODBYE, b"")  # the acknowledgement says the same, but one of them may be lost
            self._finish("the other side closed the link")

    @property
    def is_closing(self) -> bool:
        """Whether it was closed, and only what was sent before is still on its way."""
        return self._closing

    def _path_changed(self, path: str) -> None:
        if self._receiver is not None and self._begun and not self._closing:
            self._receiver.path_changed(path)

    # what leaves

    def send(self, frame: bytes) -> None:
        if self._closing or self._over:
            return
        self._arq.send(frame)
        self._flush()
        self._told_full = self._told_full or not self.writable
        if self._arq.waiting > MOST_WAITING:
            self.abort("the other side does not take what is sent to it")

    def cast(self, datagram: bytes) -> None:
        if self._closing or self._over:
            return
        if len(datagram) <= self._way.base_room:
            self._put(_MEDIA, datagram)
        else:
            self._cast_large(datagram)

    def _cast_large(self, datagram: bytes) -> None:
        if len(datagram) > LARGEST_FRAME:
            raise LocalError(f"a datagram of {len(datagram)} octets is too long: the most is {LARGEST_FRAME}")
        mtu = self._way.mtu
        mtu.wanted(self._clock.seconds())
        if len(datagram) > mtu.room or not self._put(_MEDIA, datagram):
            for part in self._cutter.cut(datagram, mtu.room):
                self._put(_PART, part)
        self._flush()

    def _flush(self) -> None:
        """Send what the frames need, and settle when to look again."""
        if self._over:
            return
        now = self._clock.seconds()
        for segment in self._arq.outgoing(now):
            self._put(_SEGMENT, segment)
        if self._over:  # the way was worn out by it
            return
        due = self._arq.due()
        if due is not None:
            self._timers.start_before("arq", due, self._look)
        if self._told_full and self._arq.waiting <= WINDOW // 2:
            self._told_full = False
            if self._receiver is not None and not self._closing:
                self._receiver.link_writable()
        if self._closing and self._arq.done:
            self._finish(self._reason)

    def _look(self) -> None:
        now = self._clock.seconds()
        reason = self._arq.given_up(now)
        if reason is not None:
            self.abort(reason)
            return
        self._arq.timer_fired(now)
        self._flush()

    # its life

    def start(self, receiver: ILinkReceiver) -> None:
        self._receiver = receiver
        self._timers.start("begin", 0.0, self._begin)

    def _begin(self) -> None:
        self._begun = True
        self._release()
        self._deliver()
        self.batch_ended()
        if self._over:
            self._tell_lost()

    def _release(self) -> None:
        """Let the other side send all that a link carries, once the receiver takes more than a stranger's first words."""
        if self._begun and not self._released and self.limit > FIRST_WINDOW:
            self._released = True
            self._arq.release()
            self._flush()

    def watch(self, closely: bool) -> None:
        watched = closely and not self._over and not self._closing
        self._silence.watch(watched)
        self._timers.stop("alive")
        if watched:
            self._timers.start("alive", ALIVE_TIME, self._keep_alive)

    def _keep_alive(self) -> None:
        self._timers.start("alive", ALIVE_TIME, self._keep_alive)
        self._put(_ALIVE, b"")  # which may be the end of the link, and of its timers

    def _astray(self, seek: Seek) -> None:
        if self._receiver is not None and self._begun:
            self._receiver.link_astray(seek)

    def _stalled(self) -> None:
        if self._receiver is not None and self._begun:
            self._receiver.link_stalled()

    def close(self, reason: str) -> None:
        if self._closing or self._over:
            return
        self.watch(False)
        self._closing = True
        self._reason = reason
        self._arq.end()
        self._timers.start("close", CLOSE_TIME, self.abort)
        self._flush()

    def abort(self, reason: str = "") -> None:
        """End the link without waiting for anything."""
        if not self._over:
            self._closing = True
            self._put(_GOODBYE, b"")
            self._finish(reason)

    def _finish(self, reason: str) -> None:
        if self._over:
            return
        self.watch(False)
        self._over = True
        self._reason = self._reason or reason
        self._timers.stop("arq")
        self._timers.stop("close")
        self._gone()
        if self._begun:
            self._timers.start("lost", 0.0, self._tell_lost)

    def _tell_lost(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.link_lost(self._reason)

    def _gone(self) -> None:
        """Hear that nothing of the link is left."""
