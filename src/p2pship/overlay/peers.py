"""All peers of the node."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from p2pship.errors import NotReached
from p2pship.identity.papers import Statement
from p2pship.identity.statement import host_identity_hash
from p2pship.identity.verdict import Acquaintance, Verdict
from p2pship.interfaces import IIdentity
from p2pship.overlay.ends import Ends
from p2pship.overlay.peer import Peer, Surroundings
from p2pship.overlay.peerkey import PeerKey
from p2pship.overlay.vetting import Vetted

MAX_PEERS = 4096
"Peers in all, with or without a link: each takes some 10 kB when nothing is under way."

FORGET_AFTER = 3600.0
"Seconds without a link after which a peer with nothing under way is over: a later call begins a new session."

_SESSION_OCTETS = 8


class Peers:
    """Keeps the peers; one for each own identity, other AOR and other device."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._all: dict[PeerKey, Peer] = {}
        self._of: dict[
            str, dict[PeerKey, Peer]
        ] = {}  # a crowd of strangers must not make each hello and call slower

    def __iter__(self) -> Iterator[Peer]:
        return iter(tuple(self._all.values()))

    def get(self, key: PeerKey) -> Peer | None:
        """Return the peer of a key, or None."""
        return self._all.get(key)

    def _named(self, aor: str) -> tuple[Peer, ...]:
        return tuple(self._of.get(aor, {}).values())

    def _met_as(self, own_hit: bytes, aor: str) -> tuple[Peer, ...]:
        """Return the peers that a person's devices are to one device of ours."""
        return tuple(peer for peer in self._named(aor) if peer.own_hit == own_hit)

    def connected(self, own: str, aor: str) -> list[Peer]:
        """Return the peers of a person that can be reached now."""
        return [
            peer
            for peer in self._named(aor)
            if peer.key.own == own and not peer.key.called and peer.berth and peer.lost_since is None
        ]

    def claim(
        self, key: PeerKey, identity: IIdentity, device_key: bytes, verdict: Verdict, around: Surroundings
    ) -> Peer:
        """Return the peer of a key, a new one if there is none.

        :raises NotReached: if there are too many.
        """
        peer = self._all.get(key)
        if peer is not None:
            return peer
        if len(self._all) >= MAX_PEERS:
            self._make_room()
        session = int.from_bytes(self._random(_SESSION_OCTETS), "big") | 1
        peer = Peer(key, identity, device_key, verdict, session, around)
        known = self._met_as(peer.own_hit, key.aor)
        newer = [each.newer for each in known if each.newer is not None]
        peer.newer = max(newer, key=lambda statement: statement.version, default=None)
        self._all[key] = self._of.setdefault(key.aor, {})[key] = peer
        return peer

    def _make_room(self) -> None:
        """End the eldest peer with which nothing is under way: strangers must not be able to fill the table.

        Strangers without a link go before all others, or a crowd would push out those who talk to us.
        """
        gone = (peer for peer in self._idle() if peer.berth is None and _is_stranger(peer))
        idle = next(gone, None) or next(self._idle(), None)
        if idle is None:
            raise NotReached("there are too many peers")
        idle.end("there are too many peers")

    def _idle(self) -> Iterator[Peer]:
        everybody = self._all.values()
        return (one for one in everybody if not (one.busy or one.dialling or one.greeting is not None))

    def called(self, vetted: Vetted) -> PeerKey:
        """Return the key of the peer that a hello is of, which somebody else sent.

        Where an identity talks to itself on this node both ends of the conversation are peers here: then the hello of
        the one is for the other.
        """
        key = PeerKey(vetted.identity.aor, vetted.papers.aor, vetted.papers.hit)
        caller = self._all.get(key)
        itself = vetted.papers.hit == vetted.identity.device.hit and key.own == key.aor
        if itself and caller is not None and caller.session.own == vetted.hello.session:
            return key._replace(called=True)
        return key

    def forget(self, peer: Peer) -> None:
        """Drop a peer that is over."""
        if self._all.get(peer.key) is not peer:
            return
        del self._all[peer.key], self._of[peer.aor][peer.key]
        if not self._of[peer.aor]:
            del self._of[peer.aor]

    def drop_unmet(self, peer: Peer) -> None:
        """Drop a peer with which no hello has passed, unless one may still."""
        if peer.papers is None and not peer.dialling and peer.greeting is None:
            self.forget(peer)

    def tidy(self, now: float) -> None:
        """End the peers that have been without a link, and with nothing under way, for long, and whose statement is out of date."""
        for peer in self:
            self.drop_unmet(peer)
            sleeps = peer.berth is None and not peer.busy and peer.greeting is None
            if sleeps and now - peer.since >= FORGET_AFTER:
                peer.end("nothing was under way for an hour")
            elif peer.papers is not None and (peer.newer or peer.papers.statement).expires <= now:
                peer.end("its statement has expired")  # a hello brings the one that holds now

    def end_unlisted(self, statement: Statement, former: Collection[bytes], own_hit: bytes) -> set[Ends]:
        """End the peers of one device of ours on devices that a person's new statement does not list, or revokes.

        Returns what their links are between. ``former`` are the identity keys that gave way to the statement's: what they listed is all older.
        """
        ended: set[Ends] = set()
        listed = {device.host_identity_hash for device in statement.devices} - set(statement.revoked)
        for peer in self._met_as(own_hit, statement.aor):
            theirs = peer.papers.statement if peer.papers is not None else None
            if theirs is None:
                continue
            older = theirs.key == statement.key and theirs.version < statement.version
            if (older or theirs.key in former) and host_identity_hash(peer.device_key) not in listed:
                ended.add(peer.ends)
                peer.end(f"{statement.aor} no longer lists the device")
        return ended

    def heard(self, statement: Statement, own_hit: bytes) -> None:
        """Keep a person's newest statement with the peers that they are to one device of ours: it may list devices that they do not know of.

        A device that was off may come with an older one than was heard.
        """
        for peer in self._met_as(own_hit, statement.aor):
            theirs = peer.papers.statement if peer.papers is not None else None
            if theirs is None or theirs.key != statement.key:
                continue
            if (
                peer.newer is None
                or peer.newer.key != statement.key
                or peer.newer.version < statement.version
            ):
                peer.newer = statement

    def identity_changed(self, own: str, identity: IIdentity | None) -> None:
        """Use what an own identity is now; None ends the peers of one that was removed."""
        for peer in self:
            if peer.identity.aor == own and identity is None:
                peer.end("the identity was removed")
            elif peer.identity.aor == own and identity is not None:
                peer.identity = identity
                if peer.own_hit != identity.device.hit:
                    peer.end("the identity has another device now")


def _is_stranger(peer: Peer) -> bool:
    return peer.verdict.acquaintance is Acquaintance.STRANGER
