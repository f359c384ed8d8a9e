"""Runs alone in a network namespace: who is a neighbour, and whether the system has found it, as the kernel tells."""

from __future__ import annotations

from p2pship.neighbours import UNKNOWN, Hop, Neighbours, open_netlink
from p2pship.testing.namespace import ip

OURS = "02:00:00:00:00:02"

FOUND = Hop(on_link=True, found=True)
ROUTED = Hop(on_link=False, found=True)

EXPECTED = {
    "192.0.2.3": FOUND,
    "192.0.2.4": UNKNOWN,
    "198.51.100.7": ROUTED,
    "203.0.113.7": UNKNOWN,
    "192.88.99.7": ROUTED,
    "2001:db8::3": FOUND,
    "2001:db8::4": UNKNOWN,
    "2001:db8:1::7": ROUTED,
    "2001:db8:2::7": UNKNOWN,
}


def main() -> None:
    """Have neighbours and routers, some of them found, and ask for each."""
    ip("link add near type veth peer name far")
    for end in ("near", "far"):
        ip(f"link set {end} up")
    ip("addr add 192.0.2.2/24 dev near")
    ip("addr add 2001:db8::2/64 dev near nodad")
    for host in ("192.0.2.3", "192.0.2.254", "2001:db8::3", "2001:db8::fe"):
        ip(f"neigh add {host} lladdr {OURS} dev near nud stale")
    for network, router in (
        ("198.51.100.0/24", "192.0.2.254"),
        ("203.0.113.0/24", "192.0.2.253"),
        ("192.88.99.0/24", "inet6 2001:db8::fe"),
        ("2001:db8:1::/64", "2001:db8::fe"),
        ("2001:db8:2::/64", "2001:db8::fd"),
    ):
        ip(f"route add {network} via {router} dev near")
    neighbours = Neighbours(open_netlink)
    for _ in range(2):
        told = {host: neighbours.hop(host) for host in EXPECTED}
        assert told == EXPECTED, told
        neighbours.close()
    print("as it should be")


main()
