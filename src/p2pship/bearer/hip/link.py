"""A link of the bearer ``hip``: one association, with frames and media inside its ESP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from p2pship.address import HostPort, Locator
from p2pship.bearer.carried import Carried
from p2pship.bearer.datagramlink import DatagramLink
from p2pship.bearer.datagramport import Address, DatagramPort
from p2pship.bearer.hip.association import Association
from p2pship.bearer.hip.echoes import Echoes
from p2pship.bearer.hip.esp import Inbound, Outbound
from p2pship.bearer.hip.inner import ICMPV6, BadInner
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.traffic import Traffic
from p2pship.bearer.hip.way import HIPWay, Incoming
from p2pship.bearer.pathcheck import TOKEN_SIZE
from p2pship.bearer.rto import INITIAL
from p2pship.interfaces import ILink
from p2pship.journal import Journal

NAME = "hip"

PULSE = 0.125
"Seconds between two looks at whether anything came, while somebody listens."

QUESTION_AFTER = 1
"Pulses of silence after which the other side is asked for a sign of life: it is silent for a quarter of a second at most."

SILENT_AFTER = 4
"Pulses of silence after which other paths are tried: three questions were lost, or are on a very long way."

ASTRAY_AFTER = 6
"Pulses of silence after which it is asked elsewhere where the other side is: every known path has been tried for a while then."

ASTRAY_EVERY = 8
"Pulses until that is asked again."

USE_TIME = 3.0
"""Seconds in which somebody uses a link that was made because the one before was forgotten at the other end. That waits five for a hello, and then takes
the link for one of a program that knows nothing of hellos; who came later would not be heard."""


class House(Protocol):
    """What a link asks of those who keep all of them."""

    def closed(self, link: HIPLink, reason: str) -> None:
        """Hear that the link is over, and why."""

    def watched(self, association: Association) -> None:
        """Hear that somebody listens now."""

    def silent(self, association: Association) -> None:
        """Hear that nothing comes while somebody listens."""

    def elsewhere(self, association: Association, port: DatagramPort, source: Address) -> None:
        """Hear that something came by another path than the one that is used."""

    def found(self, association: Association, locators: Sequence[Locator]) -> None:
        """Hear where the other side may be that answers nowhere."""

    def first(self, association: Association, spi: int) -> None:
        """Hear to which SPI something came for the first time."""

    def tired(self, association: Association) -> None:
        """Hear that the keys should be changed."""


@implementer(ILink)
class HIPLink(DatagramLink):
    """One link; it lives as long as its association."""

    __slots__ = (  # a node has thousands, and without them each has a dictionary of 1.5 kB
        "_house",
        "_is_watched",
        "_octets_seen",
        "_silent_pulses",
        "_takes",
        "association",
        "dialled",
        "echoes",
        "has_spoken",
        "incoming",
        "locator",
        "own",
        "proof",
        "traffic",
    )

    name = NAME
    encrypted = True

    def __init__(
        self,
        clock: IReactorTime,
        journal: Journal,
        association: Association,
        dialled: bool,
        locator: Locator | None,
        house: House,
    ) -> None:
        """Make a link of an association that has just been made; ``locator`` was dialled, None if the other side has dialled."""
        agreement = association.agreement
        own, peer = agreement.own.hit, agreement.peer.hit
        sealed, path, credit = association.outbound, association.path, association.credit
        way = HIPWay(clock, journal, sealed, own, peer, path, self._worn_out, credit)
        super().__init__(clock, journal, way)
        self._way: HIPWay = way
        self._house = house
        self._octets_seen = 0
        self._is_watched = False
        self._silent_pulses = 0
        self.association = association
        self.own = agreement.own.key
        self.proof = agreement.peer.key
        self.dialled = dialled
        self.locator = locator
        self.traffic = Traffic()
        self.echoes = Echoes(own, peer, way.send, clock.seconds)
        self._takes: Callable[[int, bytes], None] = self._first_taken
        self.has_spoken = False
        "whether the other side has ever sent what a link carries, as only our own kind does"
        self.incoming: dict[int, Incoming] = {}
        "what gets what comes, by SPI"
        self.open(association.inbound)
        self.renew(association.outbound)
        if association.round_trip is not None:
            self._arq.measured(association.round_trip)

    @property
    def remote(self) -> HostPort:
        path = self.association.path
        return HostPort(path.host, path.port)

    @property
    def path(self) -> str:
        return f"{NAME} {self.remote}"

    @property
    def octets_sent(self) -> int:
        """Octets that left, in ESP packets."""
        return self._way.sent

    @property
    def octets_received(self) -> int:
        """Octets that came, in ESP packets that were true."""
        return self._way.octets

    # keys

    def open(self, inbound: Inbound) -> Incoming:
        """Take what comes to another SPI as well, and return what gets it."""
        made = self.incoming[inbound.spi] = Incoming(
            self._journal,
            inbound,
            self._takes,
            self._other,
            self._elsewhere,
            self.batch_ended,
            self._way,
            partial(self._house.first, self.association),
        )
        made.refused = self.traffic.refused
        self.traffic.opened(inbound)
        return made

    def shut(self, spi: int) -> None:
        """Take nothing any more that comes to an SPI."""
        self.incoming.pop(spi, None)
        self.traffic.closed(spi)

    def renew(self, outbound: Outbound) -> None:
        """Seal with other keys from now on."""
        outbound.tired = partial(self._house.tired, self.association)
        self._way.renew(outbound)
        self.traffic.renewed(outbound)

    # paths

    def moved(self, path: Path, verified: bool) -> None:
        """Hear which path is used from now on."""
        if path == self._way.path:
            self._way.verify(verified)
            return
        self._way.lead(path, verified)
        self.traffic.moved(self._clock.seconds())
        self._path_changed(f"{self.path} from {path.own_host}")

    def _release(self) -> None:
        """Hear that more is taken than a stranger's first words: a hello has passed."""
        super()._release()
        if self._released and not self.association.paths.confides:
            self.association.paths.confides = True
            if self._is_watched:
                self._house.watched(self.association)

    def _elsewhere(self, source: Address, port: DatagramPort) -> None:
        self._house.elsewhere(self.association, port, source)

    def watch(self, closely: bool) -> None:
        super().watch(closely)
        self._timers.stop("pulse")
        self._silent_pulses = 0
        self._is_watched = closely and not self._over and not self._closing
        if self._is_watched:
            self._timers.start("pulse", PULSE, self._pulse)
            self._house.watched(self.association)

    def _pulse(self) -> None:
        self._timers.start("pulse", PULSE, self._pulse)
        octets = self._way.octets
        self._silent_pulses = self._silent_pulses + 1 if octets == self._octets_seen else 0
        self._octets_seen = octets
        self._way.earn()
        if self._silent_pulses >= QUESTION_AFTER:
            self._put(Carried.QUESTION, bytes(TOKEN_SIZE))
        if self._silent_pulses >= SILENT_AFTER and not self._silent_pulses % SILENT_AFTER:
            self._house.silent(self.association)
        if self._silent_pulses >= ASTRAY_AFTER and not (self._silent_pulses - ASTRAY_AFTER) % ASTRAY_EVERY:
            self._astray(partial(self._house.found, self.association))

    def await_use(self) -> None:
        """Close it if nobody uses it soon."""
        if self._receiver is None and not self._over:
            self._timers.start("use", USE_TIME, self._unused)

    def _unused(self) -> None:
        if self._receiver is None:
            self.close("nobody used it")

    def _finish(self, reason: str) -> None:
        self._timers.stop("use")
        super()._finish(reason)

    # what comes

    def _first_taken(self, kind: int, data: bytes) -> None:
        """Take the first datagram that is for a link; those that follow are taken without this."""
        self.has_spoken = True
        if not self.dialled:  # the R2 has brought it, so that this is at most a round trip too many
            self._arq.measured(min(INITIAL, self._clock.seconds() - self.association.made_at))
        self._deliver_to(self.taken)
        self.taken(kind, data)

    def _deliver_to(self, takes: Callable[[int, bytes], None]) -> None:
        self._takes = takes
        for incoming in self.incoming.values():
            incoming.deliver_to(takes)

    def _other(self, next_header: int, inner: bytes) -> None:
        """Take what is not UDP: an ICMPv6 echo, or what is counted and dropped."""
        try:
            known = next_header == ICMPV6 and self.echoes.received(inner)
        except BadInner:
            known = False
        if not known:
            self._journal.count("hip.unknown")

    def retire(self) -> None:
        """Carry nothing but echoes from now on, as long as the association lasts."""
        self.watch(False)
        self._closing = self._over = True
        self._deliver_to(self._ignored)

    def _ignored(self, kind: int, data: bytes) -> None:
        self._journal.count("hip.unknown")

    def lost(self, reason: str) -> None:
        """Hear that the association has ended."""
        self._finish(reason)

    def _worn_out(self) -> None:
        self._finish("the keys are used up")

    def _gone(self) -> None:
        self._house.closed(self, self._reason)
