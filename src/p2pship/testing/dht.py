"""A DHT of our own, of nodes of libtorrent in this process, which knows nothing of the public one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libtorrent

from p2pship.lookup.mainline.session import TOLERANT
from p2pship.testing.programs import free_ports

NODES = 24
"Nodes of the DHT, besides those of the lookups."

BEGINNINGS = 3
"Nodes that others are told of."

FAMILIAR = 9
"Nodes that know the first one as they know others: who begins with a node does not take it for one of the DHT."

STEPS = (1, 5)
"From a node to those that it is told of when it knows too few."

ONLY_DHT = {
    "enable_dht": True,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_tcp": False,
    "enable_outgoing_tcp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "alert_mask": 0,
}


def loopback_hosts(count: int = NODES) -> list[str]:
    """Return so many addresses of this machine, each on a network of its own: 127.0.1.1, 127.0.2.1 and so on."""
    return [f"127.0.{number}.1" for number in range(1, count + 1)]


class PrivateDHT:
    """Nodes at these addresses of this machine, all at one port."""

    def __init__(self, hosts: Sequence[str] = (), port: int = 0) -> None:
        self.hosts = tuple(hosts) or tuple(loopback_hosts())
        self.port = port or free_ports(1)
        self.sessions: list[Any] = [self._session(number) for number in range(len(self.hosts))]

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """The nodes that others begin with."""
        return tuple(map(self._at, self.hosts[:BEGINNINGS]))

    def is_whole(self) -> bool:
        """Tell whether all but those that it began with know the others; to be asked until it is, as those who do not are helped.

        A node at a public address chooses its id anew when it hears that address, and begins from nothing then.
        """
        known = [session.status().dht_nodes for session in self.sessions]
        for number, session in enumerate(self.sessions):
            if known[number] <= BEGINNINGS:
                for step in STEPS:
                    session.add_dht_node((self.hosts[(number + step) % len(self.hosts)], self.port))
        return all(number > BEGINNINGS for number in known[FAMILIAR:])

    def is_old(self) -> bool:
        """Tell whether each node knows all that it can, as in a DHT of hours; to be asked until it is, as those who do not are told.

        In one of seconds many are known only to those that they began with, and lost with them.
        """
        most = len(self.hosts) - 1 - BEGINNINGS  # those that it began with may not count
        young = [session for session in self.sessions if session.status().dht_nodes < most]
        for session in young:
            for host in self.hosts:
                session.add_dht_node((host, self.port))
        return not young

    def announce(self, number: int, infohash: bytes, port: int) -> None:
        """Have a node announce itself."""
        self.sessions[number].dht_announce(libtorrent.sha1_hash(infohash), port, 0)

    def kill_half(self) -> None:
        """End every other node in the order of their ids without a word: of the eight nodes nearest to anything some are left."""
        self.sessions = sorted(self.sessions, key=_id_of)[1::2]

    def stop(self) -> None:
        """End all."""
        self.sessions = []

    def _at(self, host: str) -> str:
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def _session(self, number: int) -> Any:
        settings: Any = {
            **ONLY_DHT,
            **TOLERANT,
            "listen_interfaces": self._at(self.hosts[number]),
            "dht_bootstrap_nodes": ",".join(map(self._at, self.hosts[: min(number, BEGINNINGS)])),
        }
        made = libtorrent.session(settings)
        if 0 < number < FAMILIAR:
            made.add_dht_node((self.hosts[0], self.port))
        return made


def _id_of(session: Any) -> bytes:
    """Return a node's id in the DHT, 20 octets (BEP 5)."""
    flag = libtorrent.save_state_flags_t.save_dht_state
    packed = libtorrent.write_session_params_buf(session.session_state(flag), flag)
    state: Any = libtorrent.bdecode(packed)
    found: bytes = state[b"dht state"][b"node-id"][0][:20]  # the node's address comes after it
    return found
