"""The base exchanges that a Host Identity of ours has begun: at most one with each other host (RFC 7401 §6.6 to §6.8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p2pship.bearer.hip.agenda import Agenda
from p2pship.bearer.hip.association import Association
from p2pship.bearer.hip.dialling import Dialling, Failed
from p2pship.bearer.hip.generations import Generations
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.initiator import Initiator
from p2pship.bearer.hip.numbers import DHGroup
from p2pship.bearer.hip.packet import HIT_SIZE, Packet
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.timing import Timing

NULL_HIT = bytes(HIT_SIZE)
"Whoever is there (RFC 7401 §4.1.8)."


class Exchanges:
    """The Initiator's side of all base exchanges of one Host Identity."""

    def __init__(
        self,
        own: OwnHostIdentity,
        groups: Sequence[DHGroup],
        random: Callable[[int], bytes],
        new_spi: Callable[[], int],
        say: Callable[[object], None],
        agenda: Agenda[Dialling | Association],
    ) -> None:
        """``say`` is told what is to be done; what ends is taken from ``agenda``."""
        self._own = own
        self._groups = groups
        self._random = random
        self._new_spi = new_spi
        self._say = say
        self._agenda = agenda
        self._generations = Generations()
        self.all: dict[bytes, Dialling] = {}
        "by the HIT that was dialled"

    def get(self, peer: bytes) -> Dialling | None:
        """Return the one with a host."""
        return self.all.get(peer)

    def begin(self, peer: bytes, paths: Sequence[Path], now: float, timing: Timing) -> Dialling:
        """Begin one with a host, or try further paths for one that was begun."""
        dialling = self.all.get(peer)
        if dialling is not None:
            dialling.add(paths)
            return dialling
        seen = self._generations
        initiator = Initiator(self._own, peer, self._groups, self._random, self._new_spi, seen)
        self.all[peer] = Dialling(initiator, paths, now, self._say, timing)
        return self.all[peer]

    def goes_on(self, dialling: Dialling) -> bool:
        """Tell whether one has neither ended nor given way to another."""
        return self.all.get(dialling.peer) is dialling

    def will_be_answered(self, sender: bytes, now: float) -> bool:
        """Tell whether the other side, with the greater HIT, will answer ours: its own I1 is dropped then (RFC 7401 §6.7, step 3)."""
        dialling = self.all.get(sender)
        return dialling is not None and sender > self._own.hit and dialling.is_patient(now)

    def answered_by(self, r1: Packet, path: Path) -> Dialling | None:
        """Return the one that an R1 may answer: that with its sender, or with whoever is there if it comes from there."""
        dialling = self.all.get(r1.sender)
        if dialling is not None:
            return dialling
        dialling = self.all.get(NULL_HIT)
        return dialling if dialling is not None and dialling.knows(path) else None

    def met(self, dialling: Dialling, peer: bytes) -> None:
        """Hear that one is with a host from now on: whoever is there has shown who that is."""
        del self.all[dialling.peer]
        self.all[peer] = dialling
        dialling.peer = peer

    def give_up(self, peer: bytes, reason: str) -> None:
        """End the one with a host, if there is one, and say that it has failed."""
        dialling = self.all.get(peer)
        if dialling is not None:
            self.end(dialling)
            self._say(Failed(self._own.hit, dialling.initiator.peer_hit, reason))

    def end(self, dialling: Dialling) -> None:
        """Forget one that has come to its end."""
        del self.all[dialling.peer]
        self._agenda.drop(dialling)
        dialling.end()
