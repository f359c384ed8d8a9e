"""``python -m bench.scale [--quick]``: what a rendezvous cluster, the DHT and one node would carry with 1, 10 and 100 million identities.

The costs of single operations are measured here and now (:mod:`bench.servercosts`, :mod:`bench.dhtcosts`). How many of them a person's
node makes comes from the node's own code, which runs on a clock that is put forward (:mod:`bench.village`). The rest is assumed, and said.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log2

from bench import end_as_a_whole
from bench.dhtcosts import DHTCosts, Traffic
from bench.dhtcosts import measured as dht_costs
from bench.servercosts import RedisCosts, ServerCosts, measured_redis
from bench.servercosts import measured as server_costs
from bench.village import HOUR, Habits, habits
from p2pship.lookup.mainline.mutable import PUT_EVERY
from p2pship.testing.dht import NODES

IDENTITIES = (1_000_000, 10_000_000, 100_000_000)

CONTACTS = 30
"Of each person, all of whom are at home: who is away costs less, being asked for every two hours."

LOAD = 0.6
"The part of a core's time that is planned with: the rest is for busy hours and for servers that fail."

DHT_NODES = 10_000_000
"Nodes of the public DHT: those who count them find ten to thirty million."

HOP_BITS, ASKED_A_HOP = 4, 5
"""Bits of the distance that a step of a search gains, with eight nodes in a bucket, and the nodes that libtorrent asks in one: a search in
the public DHT has as many steps more than in one of two dozens."""

COPIES = 8
"Nodes of the DHT that keep an announcement, or an item."

ITEM_OCTETS = 1100
"That a node of the DHT keeps of a mutable item, with its key, salt and signature."

QUESTION = Traffic(2, 2 * 1028)
"The question to who has announced himself, and the answer."

MEGABIT = 125_000


@dataclass(frozen=True)
class Scale:
    """Everything that was found out, and what follows of it."""

    server: ServerCosts
    redis: RedisCosts
    dht: DHTCosts
    asking: Habits
    "where contacts are searched for, as in the DHT"
    followed: Habits
    "where they are followed, as on a rendezvous server"

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table: a line for each thing, with a column for each number of identities."""
        return [
            ("", *(f"{number // 1_000_000} million" for number in IDENTITIES)),
            *_joined("rendezvous", [self.cluster(number, self.followed) for number in IDENTITIES]),
            *_joined("rendezvous, no streams", [self.cluster(number, self.asking) for number in IDENTITIES]),
            *_joined("DHT", [self.in_the_dht(number) for number in IDENTITIES]),
        ]

    def cluster(self, identities: int, habit: Habits) -> dict[str, str]:
        """Say what the rendezvous servers of so many identities carry, together."""
        cost, streams = self.server, identities * habit.streams
        puts, gets, pushes = (identities * each / HOUR for each in (habit.puts, habit.gets, habit.pushes))
        cores = (puts * cost.put_cpu + gets * cost.get_cpu + pushes * cost.push_cpu) / LOAD
        redis = (puts * self.redis.put_cpu + gets * self.redis.get_cpu) / LOAD
        octets = puts * cost.put_octets + gets * cost.get_octets + pushes * cost.push_octets
        start = identities * (habit.first_puts * cost.put_cpu + habit.first_gets * cost.get_cpu)
        said = {
            "puts, gets, pushes a second": f"{puts:,.0f}, {gets:,.0f}, {pushes:,.0f}",
            "cores; of Redis": f"{ceil(cores):,}; {ceil(redis):,}",
            "kept": f"{identities * 3:,} slots, {identities * 3 * cost.slot_octets / 1e9:,.0f} GB",
            "open streams": f"{streams:,.0f}, {streams * cost.stream_octets / 1e9:,.0f} GB of memory",
            "traffic": f"{octets / MEGABIT:,.0f} Mbit/s",
            "all are served after a start in common in": f"{start / cores / 60:,.0f} min",
        }
        if not streams:
            del said["open streams"], said["kept"]
        return said

    def in_the_dht(self, identities: int) -> dict[str, str]:
        """Say what the public DHT carries for so many identities."""
        each = self.dht_traffic() * (identities / HOUR / DHT_NODES)
        kept = identities * 3 * COPIES / DHT_NODES
        return {
            "datagrams a second, each node": f"{each.datagrams:,.2f}",
            "octets a second, each node": f"{each.octets:,.0f}",
            "items kept by each node": f"{kept:,.1f}, {kept * ITEM_OCTETS / 1000:,.1f} kB",
        }

    def dht_traffic(self) -> Traffic:
        """Return what one identity has in the public DHT in an hour, both ways."""
        more = Traffic(2, (self.dht.search.octets / self.dht.search.datagrams) * 2)
        steps = more * (log2(DHT_NODES / NODES) / HOP_BITS * ASKED_A_HOP)
        announces, puts = self.asking.puts, 3 * HOUR / PUT_EVERY
        return (
            (self.dht.announce + steps) * announces
            + (self.dht.put + steps) * puts
            + (self.dht.search + steps + QUESTION + self.dht.get + steps) * self.asking.gets
        )

    def one_node(self) -> list[tuple[str, str]]:
        """Say what one identity's node carries, which is the same however many others there are."""
        server, dht = self._node_on_a_server(), self.dht_traffic()
        return [
            ("on a rendezvous server: octets a day", f"{server * 24 / 1e6:,.1f} MB"),
            (
                "in the DHT: datagrams a second, octets a day",
                f"{dht.datagrams / HOUR:,.2f}, {dht.octets * 24 / 1e6:,.1f} MB",
            ),
            ("processor time a day, without the network", f"{self.asking.cpu * 24:,.1f} s"),
        ]

    def _node_on_a_server(self) -> float:
        habit, cost = self.followed, self.server
        return habit.puts * cost.put_octets + habit.gets * cost.get_octets + habit.pushes * cost.push_octets

    def costs(self) -> list[tuple[str, str]]:
        """Say what was measured."""
        cost, dht = self.server, self.dht
        return [
            ("put", f"{cost.put_cpu * 1e6:,.0f} µs, {cost.put_octets:,.0f} octets"),
            ("get", f"{cost.get_cpu * 1e6:,.0f} µs, {cost.get_octets:,.0f} octets"),
            ("push", f"{cost.push_cpu * 1e6:,.0f} µs, {cost.push_octets:,.0f} octets"),
            (
                "put and get, of Redis",
                f"{self.redis.put_cpu * 1e6:,.0f} µs, {self.redis.get_cpu * 1e6:,.0f} µs",
            ),
            ("slot on disk, stream in memory", f"{cost.slot_octets:,.0f}, {cost.stream_octets:,.0f} octets"),
            *(
                (f"DHT: {name}", _printed(getattr(dht, name)))
                for name in ("announce", "search", "put", "get")
            ),
            *(
                (
                    f"a node's hour, contacts {how}",
                    f"{habit.puts:.1f} puts, {habit.gets:.1f} gets, {habit.streams:.0f} streams",
                )
                for how, habit in (("asked for", self.asking), ("followed", self.followed))
            ),
        ]


def _printed(traffic: Traffic) -> str:
    return f"{traffic.datagrams:,.0f} datagrams, {traffic.octets:,.0f} octets"


def _joined(what: str, columns: list[dict[str, str]]) -> Iterable[tuple[str, ...]]:
    for name in columns[0]:
        yield f"{what}: {name}", *(column[name] for column in columns)


def measured(quick: bool) -> Scale:
    """Measure everything."""
    people, contacts, hours = (8, 6, 1) if quick else (40, CONTACTS, 4)
    return Scale(
        server_costs(*((500, 2) if quick else (30_000, 10))),
        measured_redis(500 if quick else 30_000),
        dht_costs(1 if quick else 20),
        habits(people, contacts, hours, follows=False),
        habits(people, contacts, hours, follows=True),
    )


def main() -> int:
    """Run the command."""
    end_as_a_whole()
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--quick", action="store_true", help="shows that it works: fewer people, with fewer contacts"
    )
    scale = measured(parser.parse_args().quick)
    for title, rows in (("measured", scale.costs()), ("one node", scale.one_node()), ("all", scale.rows())):
        print(f"\n{title}\n")
        width = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        print(
            "\n".join(
                "  ".join(cell.ljust(size) for cell, size in zip(row, width, strict=True)).rstrip()
                for row in rows
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
