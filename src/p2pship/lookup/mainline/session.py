"""The DHT node of libtorrent in the reactor: the only file that knows that library.

Theory of operation. libtorrent runs in a thread of its own, and tells what happens by *alerts*, which wait in a queue. It writes
an octet to a socket whenever the queue was empty, and the reactor, which reads the other end, takes the alerts: no thread
but the reactor's ever runs Python code. Every call into libtorrent only leaves a message for its thread, except
:meth:`DHTSession.saved` and :meth:`DHTSession.stop`, which wait for it, a millisecond or some.

Nothing of BitTorrent but the DHT is switched on. libtorrent cannot leave the TCP port of the same number closed: who connects there is
hung up on.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.lookup.mainline.settings import MainlineSettings, is_address, split_node

PORTS_TRIED = 100
"Ports that are tried from the configured one up."

BYTES_A_SECOND = 64_000
"""What the DHT may send. libtorrent forgets what is above it, and a put that lost a datagram is stuck for 15 s: announcements, five a second of 3 kB
each, and four puts of 12 kB, which take a second or more each, stay below. It is nothing while nobody asks."""

MOST_SAVED = 100
"Nodes of each family to begin with again: after a week off some still answer."

COMPACT_LENGTHS = (6, 18)
"Octets of an address and a port, IPv4 and IPv6 (BEP 5, BEP 32)."

MOST_ALERTS = 5000
"Alerts that wait at most: a search has some dozens, and more would be a flood that nobody reads."

TOLERANT = {
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_prefer_verified_node_ids": False,
    "dht_ignore_dark_internet": False,
    "dht_enforce_node_id": False,
    "dht_block_ratelimit": 100_000,
    "dht_upload_rate_limit": 10_000_000,
    "dht_bootstrap_nodes": "",
}
"""What lets nodes of one private network make a DHT: in the public one, many nodes on a network are taken for one who wants to
be many (BEP 42). Those who are named to begin with are nodes like all others (:meth:`DHTSession.refresh`): libtorrent only ever asks its
bootstrap nodes for others, and where there are two nodes, each would know nobody."""

PeerReceived = Callable[[str, int], object]
"Takes an address that was announced, in libtorrent's spelling, and its port."

ItemReceived = Callable[[bytes], object]
"Takes a mutable item, whose signature holds."

Cancel = Callable[[], None]


@implementer(IReadDescriptor)
class DHTSession:
    """A node of the DHT."""

    log = Logger()

    def __init__(self, reactor: IReactorFDSet, settings: MainlineSettings) -> None:
        """Prepare a node.

        :raises ImportError: if libtorrent is not installed.
        """
        import libtorrent  # at first use: it takes 13 MB, and is optional

        self._libtorrent = libtorrent
        self._reactor = reactor
        self._settings = settings
        self._session: Any = None
        self._bell: socket.socket | None = None
        self._rung: socket.socket | None = None
        self._peers: dict[bytes, list[PeerReceived]] = {}
        self._items: dict[tuple[bytes, bytes], list[ItemReceived]] = {}
        self._puts: dict[tuple[bytes, bytes], Callable[[int], object]] = {}
        self._takers: dict[type, Callable[[Any], None]] = {
            libtorrent.dht_get_peers_reply_alert: self._peers_came,
            libtorrent.dht_mutable_item_alert: self._item_came,
            libtorrent.dht_put_alert: self._put_ended,
            libtorrent.dht_stats_alert: self._stats_came,
            libtorrent.dht_bootstrap_alert: lambda alert: self.refresh(),
            libtorrent.external_ip_alert: self._external_came,
            libtorrent.listen_succeeded_alert: self._listens,
            libtorrent.listen_failed_alert: self._listen_failed,
        }
        self.nodes = 0
        "other nodes that are known, as far as it was last told"
        self.answers = 0
        "how many times nodes have told who is announced, with that which is being told"
        self.told_external: Callable[[str], object] = lambda host: None
        "called with an address at which others see this node"
        self.told_nodes: Callable[[], object] = lambda: None
        "called when :attr:`nodes` is up to date"

        self.told_listening: Callable[[], object] = lambda: None
        "called when there is a node at another address"

    def start(self, saved: bytes) -> None:
        """Begin, with what :meth:`saved` returned in the last run; empty if there was none."""
        self._bell, self._rung = socket.socketpair()
        for each in (self._bell, self._rung):
            each.setblocking(False)
        self._session = self._libtorrent.session(self._pack())
        self._session.set_alert_fd(self._rung.fileno())
        self._reactor.addReader(self)
        self.acquaint(saved)

    def stop(self) -> None:
        """End; harmless when it was not begun."""
        if self._bell is None or self._rung is None:
            return
        self._reactor.removeReader(self)
        self._session = None  # which waits for libtorrent's thread
        self._bell.close()
        self._rung.close()
        self._bell = self._rung = None
        self._peers.clear()
        self._items.clear()
        self._puts.clear()

    def saved(self) -> bytes:
        """Return what a later run can begin with: nodes that answered."""
        flag = self._libtorrent.save_state_flags_t.save_dht_state
        state: bytes = self._libtorrent.write_session_params_buf(self._session.session_state(flag), flag)
        return state

    def acquaint(self, saved: bytes) -> None:
        """Try the nodes of a saved state, and those to begin with.

        libtorrent has a node of the DHT for each address; that of one that is new knows nobody, and asks nobody by itself.
        """
        self.nodes = 0
        for host, port in self._known(saved):
            self._session.add_dht_node((host, port))
        self.refresh()

    def refresh(self) -> None:
        """Bring :attr:`nodes` up to date soon, and try those to begin with again if there are none."""
        if not self.nodes:
            for host, port in map(split_node, self._settings.bootstrap):
                if is_address(host):
                    self._session.add_dht_node((host, port))
        self._session.post_dht_stats()

    def announce(self, infohash: bytes, port: int) -> None:
        """Announce this node's address and a port under an infohash of 20 octets (BEP 5)."""
        self._session.dht_announce(self._libtorrent.sha1_hash(infohash), port, 0)

    def get_peers(self, infohash: bytes, receive: PeerReceived) -> Cancel:
        """Ask who has announced himself under an infohash; each node that is asked may tell, until it is cancelled."""
        self._peers.setdefault(infohash, []).append(receive)
        self._session.dht_get_peers(self._libtorrent.sha1_hash(infohash))
        return lambda: _remove(self._peers, infohash, receive)

    def get_item(self, publication_key: bytes, salt: bytes, receive: ItemReceived) -> Cancel:
        """Ask for a mutable item (BEP 44); it may come several times, older ones too, until it is cancelled."""
        slot = publication_key, salt
        self._items.setdefault(slot, []).append(receive)
        self._session.dht_get_mutable_item(publication_key, salt)
        return lambda: _remove(self._items, slot, receive)

    def put_item(
        self,
        expanded_key: bytes,
        publication_key: bytes,
        salt: bytes,
        item: bytes,
        ended: Callable[[int], object],
    ) -> None:
        """Put a mutable item in place of the last one (BEP 44); ``ended`` is told how many nodes took it.

        :param expanded_key: the 64 octets that an Ed25519 private key becomes before it signs (RFC 8032 §5.1.5).
        """
        self._puts[publication_key, salt] = ended
        self._session.dht_put_mutable_item(expanded_key, publication_key, item, salt)

    # The reactor calls these.

    def doRead(self) -> None:
        """Take the alerts."""
        if self._bell is None:
            return
        _drain(self._bell)
        for alert in self._session.pop_alerts():
            taker = self._takers.get(type(alert))
            if taker is not None and self._session is not None:
                self._take(taker, alert)

    def fileno(self) -> int:
        """Return the descriptor of the bell, -1 when it is closed."""
        return self._bell.fileno() if self._bell is not None else -1

    def connectionLost(self, reason: Failure) -> None:
        """Do nothing: the reactor stops, and whoever started this stops it."""

    def logPrefix(self) -> str:
        """Return the name under which the reactor logs for it."""
        return "mainline"

    def _take(self, taker: Callable[[Any], None], alert: Any) -> None:
        try:
            taker(alert)
        except Exception:  # noqa: BLE001 (what one search does must not keep the alerts from the others)
            self.log.failure("news of the DHT could not be taken")

    # Alerts.

    def _peers_came(self, alert: Any) -> None:
        receivers = self._peers.get(alert.info_hash.to_bytes())
        if receivers is None:
            return
        self.answers += 1
        for host, port in alert.peers():
            for receive in tuple(receivers):
                receive(host, port)

    def _item_came(self, alert: Any) -> None:
        item = alert.item
        if not isinstance(item, bytes) or not item:  # a value of another kind, or none
            return
        for receive in tuple(self._items.get((alert.key, alert.salt), ())):
            receive(item)

    def _put_ended(self, alert: Any) -> None:
        ended = self._puts.pop((alert.public_key, alert.salt), None)
        if ended is not None:
            ended(alert.num_success)

    def _stats_came(self, alert: Any) -> None:
        self.nodes = sum(bucket["num_nodes"] for bucket in alert.routing_table)
        self.told_nodes()

    def _external_came(self, alert: Any) -> None:
        self.told_external(alert.external_address)

    def _listens(self, alert: Any) -> None:
        self.told_listening()

    def _listen_failed(self, alert: Any) -> None:
        self.log.info("the DHT does not listen somewhere: {reason}", reason=alert.message())

    # Settings.

    def _known(self, saved: bytes) -> list[tuple[str, int]]:
        """Return the nodes of a saved state; none if it is garbage."""
        try:
            decoded: Any = self._libtorrent.bdecode(saved) if saved else {}
            return known_nodes(decoded.get(b"dht state", {}))
        except (RuntimeError, AttributeError, LookupError, TypeError) as error:
            self.log.warn("the known nodes of the DHT cannot be read: {error}", error=error)
            return []

    def _pack(self) -> Any:
        """Return libtorrent's settings: the DHT, and nothing else."""
        categories = self._libtorrent.alert.category_t
        wanted = categories.dht_notification | categories.dht_operation_notification
        settings = self._settings
        pack = {
            "alert_mask": wanted | categories.status_notification | categories.error_notification,
            "alert_queue_size": MOST_ALERTS,
            "listen_interfaces": ",".join(_listening(host, settings.dht_port) for host in settings.listen),
            "max_retry_port_bind": PORTS_TRIED,
            "enable_dht": True,
            "dht_bootstrap_nodes": ",".join(settings.bootstrap),
            "dht_upload_rate_limit": BYTES_A_SECOND,
        }
        off = ("lsd", "upnp", "natpmp", "incoming_tcp", "outgoing_tcp", "incoming_utp", "outgoing_utp")
        pack.update({f"enable_{each}": False for each in off})
        return {**pack, **TOLERANT} if settings.private else pack


def known_nodes(state: dict[bytes, Any]) -> list[tuple[str, int]]:
    """Return the addresses and ports of the nodes in a saved state: libtorrent does not take it back through Python.

    :raises TypeError: if it is no such state.
    """
    packed = [each for name in (b"nodes", b"nodes6") for each in state.get(name, ())[:MOST_SAVED]]
    return [
        (str(ip_address(each[:-2])), int.from_bytes(each[-2:], "big"))
        for each in packed
        if len(each) in COMPACT_LENGTHS
    ]


def _listening(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _remove(receivers: dict[Any, list[Any]], name: Any, receive: Any) -> None:
    """Forget a receiver; harmless when it is forgotten."""
    left = [each for each in receivers.get(name, ()) if each is not receive]
    if left:
        receivers[name] = left
    else:
        receivers.pop(name, None)


def _drain(bell: socket.socket) -> None:
    """Read what rang; octets only say that there are alerts."""
    try:
        while bell.recv(4096):
            pass
    except BlockingIOError:
        return
