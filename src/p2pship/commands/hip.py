"""``p2pship hip``: our Host Identities, the associations with others, and pings, also of other programs that speak HIPv2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from p2pship.commands.hiprecord import RECORD
from p2pship.commands.hiptext import associations_text, close_text, ping_text, show_text
from p2pship.commands.own import need_node
from p2pship.commands.verb import Argument, Kind, Verb

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from p2pship.bearer.hip.desk import HIPDesk
    from p2pship.bearer.hip.reports import AssociationReport, HostReport, PingReport
    from p2pship.desk import Desk

NUMBER = 4
"Echoes of a ping for which nobody says how many."

PING_SECONDS = 60.0
"How long a ping may take: fifty echoes that nobody answers, a base exchange with a slow program, and fifty more take 38."


def _hip(desk: Desk) -> HIPDesk:
    """Return where the running node's bearer is asked.

    :raises LocalError: if no node is running, or the bearer is off.
    """
    from p2pship.errors import LocalError

    bearer = need_node(desk).bearers.get("hip")
    if bearer is None:
        raise LocalError("the bearer hip is off: set enabled = true in [bearer.hip], and start the node anew")
    found: HIPDesk = bearer.desk
    return found


def _show(desk: Desk, given: dict[str, Any]) -> HostReport:
    return _hip(desk).show()


def _associations(desk: Desk, given: dict[str, Any]) -> list[AssociationReport]:
    return _with_people(desk, _hip(desk).associations(given["hit"]))


def _with_people(desk: Desk, reports: list[AssociationReport]) -> list[AssociationReport]:
    """Return reports with the names of those whom the other sides' devices serve."""
    names = _people(desk)
    return [{**one, "people": list(names.get((one["own"], one["peer"]), ()))} for one in reports]


def _people(desk: Desk) -> dict[tuple[str, str], dict[str, None]]:
    """Return the names that go with each HIT of ours and another, each once: people with whom there is a link, and our own other devices."""
    from p2pship.identity.hit import format_hit
    from p2pship.relations.devicenames import named_devices

    found: dict[tuple[str, str], dict[str, None]] = {}
    for peer in desk.node.overlay.peers():
        found.setdefault((format_hit(peer.own_hit), format_hit(peer.hit)), {})[peer.aor] = None
    for identity in desk.keyring.identities():
        own = format_hit(identity.device.hit)
        for device in named_devices(desk.ledger, identity.aor).values():
            if device.name:
                people = found.setdefault((own, format_hit(device.hit)), {})
                people.pop(identity.aor, None)  # that is whom its link serves: the same device
                people[f"{identity.aor} ({device.name})"] = None
    return found


def _close(desk: Desk, given: dict[str, Any]) -> list[AssociationReport]:
    return _with_people(desk, _hip(desk).close(given["hit"], given["as"]))


def _ping(desk: Desk, given: dict[str, Any]) -> Deferred[PingReport]:
    number = NUMBER if given["number"] is None else given["number"]
    return _hip(desk).ping(given["whom"], given["as"], given["raw"], number)


_AS = Argument(
    "as", "the HIT of ours that it is about, if another is meant", option=True, optional=True, shown="HIT"
)

VERBS = (
    Verb(
        "hip",
        "show",
        "show our Host Identities, where they answer, and what strangers asked of them",
        run=_show,
        text=show_text,
    ),
    Verb(
        "hip",
        "associations",
        "list the associations: with whom, which way, and what has passed",
        run=_associations,
        text=associations_text,
        arguments=(Argument("hit", "the other side's HIT, if not all are meant", optional=True),),
    ),
    Verb(
        "hip",
        "close",
        "close the associations with a host, and the links that they carry",
        run=_close,
        text=close_text,
        arguments=(Argument("hit", "the other side's HIT"), _AS),
    ),
    Verb(
        "hip",
        "ping",
        "reach a HIT by a base exchange, if need be, and ICMPv6 echoes inside ESP",
        run=_ping,
        text=ping_text,
        arguments=(
            Argument(
                "whom",
                "HIT@192.0.2.1, HIT@192.0.2.1:10500 or HIT@[2001:db8::1]:10500; the HIT alone, if an association stands; the address alone asks whoever is there, if that is on",
            ),
            _AS,
            Argument("raw", "speak HIP and ESP in IP itself, not in UDP", Kind.FLAG),
            Argument("number", "how many echoes, if not 4", Kind.NUMBER, option=True, optional=True),
        ),
        failed=lambda result: not result["received"],
        seconds=PING_SECONDS,
    ),
    RECORD,
)
