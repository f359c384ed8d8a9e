"""Runs alone in a network namespace: a real node at the other end of a cable, and a HIPv2 host that is not ours at this one.

Arguments: a folder, ``short`` or ``wide``, and what is tried. Each trial begins and ends without associations; it fails with an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from itertools import product
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.interop import otherwire as w
from tests.interop.farnode import ELSEWHERE, ELSEWHERE6, HERE, HERE6, REKEYING, WORN, Node, node_at
from tests.interop.otherhabits import FULL, OLD, PYTHONIC, Carrier, Habits
from tests.interop.otherhip import PATIENCE, Host
from tests.interop.othersender import Association

NOBODY = bytes(16)
"The HIT of whoever is there."

NOTICE_PAUSE = 1.05
"Seconds between two packets that are answered by NOTIFY: there is one a second."

KEYS = ("rsa", "p384", "p256")
OTHERS = (
    PYTHONIC,
    OLD,
    FULL,
    replace(FULL, suites=(13,)),
    replace(OLD, suites=(9,), hit_suites=b"\x10\x20"),
)


@contextmanager
def host(
    habits: Habits = PYTHONIC,
    kind: str = "p256",
    address: str = HERE,
    raw: bool = False,
    made: type[Host] = Host,
) -> Iterator[Host]:
    """Make another host, which gives back its sockets."""
    other = made(w.Key(kind), Carrier(address, raw), habits)
    try:
        yield other
    finally:
        other.carrier.close()


class SpoiledHost(Host):
    """One whose I2s are wrong in one point."""

    spoils = 0
    "the type of the parameter that is"
    value = b""
    "its contents; not those of a MAC or a signature"

    def controlled(self, kind: int, peer: Association, what: dict[int, bytes], more: bytes = b"") -> bytes:
        if self.spoils == w.MAC:
            peer.mac_out = bytes(len(peer.mac_out))
        elif self.spoils != w.SIGNATURE:
            what = {**what, self.spoils: self.value}
        made = super().controlled(kind, peer, what, more)
        return made[:-20] + bytes(20) if self.spoils == w.SIGNATURE else made


def dial(node: Node, other: Host, own: int = 0) -> Association:
    """Have the other host make an association with one of the node's HITs, and get an echo."""
    peer = other.initiate(node.hits[own], node_at(other.carrier.address))
    other.ping(peer)
    return peer


def ping(node: Node, other: Host, own: int = 0) -> Any:
    """Have the node ping the other host by one of its HITs; return what it says, or the error."""
    place = f"[{other.carrier.address}]" if ":" in other.carrier.address else other.carrier.address
    said: dict[str, Any] = {"raw": True} if other.carrier.raw else {}
    said["as"] = str(ip_address(node.hits[own]))
    found = node.begin("hip ping", whom=f"{ip_address(other.key.hit)}@{place}", number=1, **said)
    wait_for(other, found)
    return found[0]


def wait_for(other: Host, found: list[Any]) -> None:
    """Go on until there is a result."""
    assert other.serve(PATIENCE, lambda: found), "the ping does not end"


def pinged(node: Node, other: Host, own: int = 0, made: bool = False) -> None:
    """Check that the node's echo is answered, in an association that stands or was made for it."""
    found = ping(node, other, own)
    assert isinstance(found, dict), found
    assert (found["received"], found["made"]) == (1, made), found


def close(node: Node, other: Host, peer: Association) -> None:
    """Have the other host end an association, and see that the node has none and has lost nothing."""
    found = node.association(other.key.hit)
    assert found and not (found["lost"] or found["forged"] or found["replayed"]), found
    other.close(peer)
    other.serve(0.05)
    assert node.association(other.key.hit) is None


def check_closed(other: Host) -> None:
    """Check that the node ends what it has made for a ping."""
    assert other.serve(PATIENCE, lambda: all(each.closed for each in other.associations.values()))


# what is tried


def exchanges(node: Node, wide: bool) -> None:
    """Base exchanges in both roles, and echoes both ways, with keys, habits and carriers of all kinds."""
    everything = list(product(OTHERS, KEYS, (HERE, HERE6), (False, True), range(3)))
    for habits, kind, address, raw, own in everything if wide else everything[::19]:
        with host(habits, kind, address, raw) as other:
            peer = dial(node, other, own)
            pinged(node, other, own)
            close(node, other, peer)
            other.associations.clear()
            if own < 2 and 0x20 not in habits.hit_suites:
                assert "our kind of HIT" in str(ping(node, other, own))
                continue
            pinged(node, other, own, made=True)
            check_closed(other)


def whoever(node: Node, wide: bool) -> None:
    """I1s that name nobody (RFC 7401 §4.1.8), and programs that have no elliptic curves, both ways."""
    for groups in ((3,), (4, 3)):
        with host(replace(PYTHONIC, groups=groups), "rsa") as other:
            peer = dial(node, other)
            close(node, other, peer)
            other.associations.clear()
            pinged(node, other, made=True)
            check_closed(other)
    for raw in (False, True):
        with host(FULL, raw=raw) as other:
            peer = other.initiate(NOBODY, node_at(HERE))
            assert peer.peer == node.hits[0]
            other.ping(peer)
            other.close(peer, 200)


def elsewhere(node: Node, wide: bool) -> None:
    """An I1 is answered from another address; a NAT gives them another port in the middle; they move, and name their address behind it only."""
    for raw in (False, True):
        with host(FULL, raw=raw) as other:
            answering = Carrier(ELSEWHERE, raw)
            other.answers_from = answering
            pinged(node, other, made=True)
            check_closed(other)
            answering.close()
    with host(OLD) as other:
        peer = dial(node, other)
        other.carrier.close()
        other.carrier = Carrier(HERE, port=50_123)
        other.ping(peer)
        other.serve(0.1)
        assert node.association(other.key.hit)["peer_address"] == f"{HERE}:50123"
        other.carrier.close()
        other.carrier = Carrier(ELSEWHERE, port=50_124)
        other.update(peer, {w.LOCATOR_SET: w.locator("192.168.7.7", peer.spi_in, True)})
        pinged(node, other)
        assert node.association(other.key.hit)["peer_address"] == f"{ELSEWHERE}:50124"
        close(node, other, peer)


def moves(node: Node, wide: bool) -> None:
    """They move, with and without new SPIs; then the node does; data goes on both ways."""
    everything = list(
        product((PYTHONIC, OLD, FULL), ((HERE, ELSEWHERE), (HERE6, ELSEWHERE6)), (False, True), (False, True))
    )
    for habits, (here, there), raw, rekey in everything if wide else everything[::5]:
        with host(habits, address=here, raw=raw) as other:
            peer, old = dial(node, other), other.carrier
            other.move(peer, Carrier(there, raw), here, rekey=rekey)
            other.serve(0.1)
            other.ping(peer)
            pinged(node, other)
            assert there in node.association(other.key.hit)["peer_address"]
            old.close()
            for goes in (True, False):
                node_moves(node, other, peer, goes)
            other.close(peer)


def node_moves(node: Node, other: Host, peer: Association, there: bool) -> None:
    """The node moves; what it says is verified, and believed then."""
    peer.moves.clear()
    node.move(there)
    if not other.serve(PATIENCE, lambda: peer.moves):
        raise w.Wrong(f"nothing was verified: {other.received} {node.association(other.key.hit)}")
    other.ping(peer)


def closes(node: Node, wide: bool) -> None:
    """The node closes, and all that was between is in order: UPDATEs with nothing in them, and what is not understood."""
    for habits in (PYTHONIC, OLD, FULL):
        with host(habits) as other:
            peer = dial(node, other)
            for _ in range(3):
                other.update(peer, {})
            other.update(peer, {w.ECHO_REQUEST: b"signed", w.ECHO_REQUEST_UNSIGNED: b"unsigned"})
            assert peer.echoed == {b"signed", b"unsigned"}
            for following in (1, 6, 17, 59, 94):
                assert peer.outgoing is not None
                other.carrier.send(peer.outgoing.seal(bytes(40), following), peer.at, True)
            other.ping(peer)
            node.ask("hip close", hit=str(ip_address(other.key.hit)))
            check_closed(other)
            other.serve(0.05)
            assert node.association(other.key.hit) is None


def restarts(node: Node, wide: bool) -> None:
    """They forget everything and come again; then the node does, and begins by itself or is dialled."""
    with host(OLD, "rsa") as other:
        for _ in range(3):
            dial(node, other)
            pinged(node, other)
        with host(PYTHONIC, address=ELSEWHERE) as another:
            kept = dial(node, another)
            node.kill()
            node.start(str(REKEYING), str(WORN))
            pinged(node, another, made=True)
            assert another.associations[node.hits[0]] is not kept
        dial(node, other)
    with host(replace(FULL, counter=50)) as other:
        pinged(node, other, made=True)
        other.habits = replace(FULL, counter=3)
        check_closed(other)
        other.associations.clear()
        pinged(node, other, made=True)


def keys(node: Node, wide: bool) -> None:
    """Keys change when the other host wants, with and without Diffie-Hellman, and when the node's are worn out, also at once."""
    for habits, own in product(OTHERS, range(3 if wide else 1)):
        with host(habits) as other:
            peer = dial(node, other, own)
            for new_dh in (False, True, False):
                other.rekey(peer, new_dh)
                other.ping(peer)
            before = peer.rekeys
            for _ in range(3 * WORN):
                other.ping(peer)
            assert peer.rekeys > before + 1, peer.rekeys

            def counted(other: Host = other, peer: Association = peer) -> bool:
                return bool(node.association(other.key.hit)["rekeys"] == peer.rekeys)

            assert other.serve(PATIENCE, counted), peer.rekeys  # a change may be under way
            assert not node.association(other.key.hit)["forged"]
            close(node, other, peer)


def together(node: Node, wide: bool) -> None:
    """Both begin at the same moment: there is one association, that of the side with the greater HIT as Responder."""
    for number in range(20 if wide else 4):
        with host((OLD, FULL)[number % 2], "rsa" if number % 4 < 2 else "p256") as other:
            whom = f"{ip_address(other.key.hit)}@{HERE}"
            own = {"as": str(ip_address(node.hits[2]))}
            found = node.begin("hip ping", whom=whom, number=1, **own)
            if number % 3:
                sleep(0.02)
            peer = other.initiate(node.hits[2], node_at(HERE))
            wait_for(other, found)
            assert isinstance(found[0], dict) and found[0]["received"] == 1, found
            if not peer.closed:
                other.ping(peer)
                close(node, other, peer)


def losses(node: Node, wide: bool) -> None:
    """Each kind of packet is lost once, and sent again."""
    lost = (w.I1, w.R1, w.I2, w.R2, w.UPDATE, w.CLOSE, w.CLOSE_ACK)
    for kind in lost if wide else lost[2:5]:
        with host(FULL) as other:
            other.lose = {kind}
            pinged(node, other, made=True)
            check_closed(other)
            other.associations.clear()
            peer = dial(node, other, 1)
            other.rekey(peer, True)
            other.ping(peer)
            other.close(peer)


def notices(node: Node, wide: bool) -> None:
    """An I2 that is wrong in one point, and the NOTIFY that says so (RFC 7401 §5.2.19, RFC 9028 §5.10)."""
    wrong: list[tuple[int, int, bytes]] = [
        (19, w.ESP_TRANSFORM, b"\0\0\0\7"),
        (1, 4097, b"critical"),
        (17, w.HIP_CIPHER, b"\0\1"),
        (40, w.HOST_ID, w.Key("p256").host_id(b"", 0)),
        (60, w.NAT_MODE, b"\0\0\0\3"),
        (28, w.MAC, b""),
        (24, w.SIGNATURE, b""),
    ]
    for number, kind, value in wrong if wide else wrong[:2]:
        with host(FULL, made=SpoiledHost) as other:
            assert isinstance(other, SpoiledHost)
            other.spoils, other.value = kind, value
            try:
                other.initiate(node.hits[0], node_at(HERE), 0.5)
            except w.Wrong:
                assert other.serve(PATIENCE, lambda: other.notified), number
                assert other.notified == [number], (number, other.notified)
            else:
                raise AssertionError(f"an I2 was taken that should be answered by {number}")
            assert node.association(other.key.hit) is None
        sleep(NOTICE_PAUSE)


TRIALS: dict[str, Callable[[Node, bool], None]] = {
    each.__name__: each
    for each in (exchanges, whoever, elsewhere, moves, closes, together, losses, notices, restarts, keys)
}
"By name; the node is another one after ``restarts``, whose keys are worn out sooner."


def main(words: Sequence[str]) -> None:
    """Try what is asked for."""
    folder, extent, *names = words
    node = Node(Path(folder))
    for name in names or TRIALS:
        began = monotonic()
        TRIALS[name](node, extent == "wide")
        print(f"{name}: as it should be, after {monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
