"""How the answers of ``p2pship hip`` read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2pship.commands.columns import aligned, minute, second

if TYPE_CHECKING:
    from p2pship.bearer.hip.reports import AssociationReport, HostReport, OwnHITReport, PingReport

_CAUSES = {
    "stale": "answers to no packet of ours, or too late",
    "repeated": "solutions that were used before",
    "unknown_critical_parameter": "a parameter that must be understood and is not",
    "other_version": "another version of HIP",
    "invalid_syntax": "not formed as it should be",
    "invalid_hit": "for a HIT that is not ours, or from one that is not the key's",
    "authentication_failed": "a signature that is not valid",
    "hip_mac_failed": "a MAC that is not valid",
    "encryption_failed": "what cannot be decrypted",
    "unsupported_hit_suite": "a kind of HIT that is not used here",
}
"Why control packets are refused, in plain words; others are named as RFC 7401 does."


def show_text(result: HostReport) -> str:
    """Print how the bearer stands."""
    rows = [("HIT", "KEY", "USED FOR", "SINCE", "ASSOCIATIONS")]
    for one in result["identities"]:
        rows.append((one["hit"], one["algorithm"], _use(one), minute(one["since"]), str(one["associations"])))
    return f"{aligned(rows)}\n\n{aligned(_facts(result))}"


def _use(one: OwnHITReport) -> str:
    if not one["links"]:
        return "pings only"
    return "calls (this device)" if one["device"] else "calls (of one identity)"


def _facts(result: HostReport) -> list[tuple[str, str]]:
    refused = result["refused"]
    causes = [f"{refused[cause]} {_cause(cause)}" for cause in sorted(refused)]
    return [
        ("listens at (UDP)", ", ".join(result["listening"]) or "nowhere"),
        ("in IP itself", _raw(result)),
        ("without a HIT", "answered" if result["opportunistic"] else "not answered"),
        ("puzzles now", f"difficulty {result['difficulty']} bits"),
        (
            "strangers",
            f"{result['i1s']} first packets, of which {result['r1s_limited']} were too many and not answered",
        ),
        ("refused packets", "; ".join(causes) or "none"),
    ]


def _raw(result: HostReport) -> str:
    if result["raw"]:
        return ", ".join(result["raw"])
    return "wanted, but the node has no CAP_NET_RAW" if result["raw_wanted"] else "off"


def _cause(cause: str) -> str:
    return _CAUSES.get(cause, cause.replace("_", " "))


def associations_text(result: list[AssociationReport]) -> str:
    """Print all associations, a paragraph each."""
    return "\n\n".join(map(_association, result)) or "There are no associations."


def _association(one: AssociationReport) -> str:
    who = ", ".join(one["people"]) or "a host whose people are not known"
    use = "for calls" if one["carries"] == "link" else "for echoes only"
    began = "we" if one["dialled"] else "they"
    way = "in UDP" if one["encapsulated"] else "in IP itself"
    at = one["peer_address"].rpartition(":")[0].strip("[]") if one["encapsulated"] else one["peer_address"]
    others = [host for host in one["locators"] if host != at]
    return f"{who}\n" + aligned([
        ("  HIT", f"{one['peer']} ({one['peer_algorithm']}, {one['hit_suite']})"),
        ("  ours", one["own"]),
        ("  state", f"{one['state']}, {use}, since {second(one['since'])} ({began} began)"),
        ("  path", f"from {one['own_address']} to {one['peer_address']}, {way}{_moves(one)}"),
        ("  round trip", "not measured" if one["round_trip"] is None else _milliseconds(one["round_trip"])),
        ("  also known at", ", ".join(others) or "-"),
        ("  keys", f"{one['dh_group']}, {one['cipher']}; data: {one['esp_suite']}; {_changed(one['rekeys'])}"),
        ("  SPIs", f"{one['spi_in']} for what comes, {one['spi_out']} for what leaves"),
        ("  sent", f"{one['packets_sent']:,} packets, {one['octets_sent']:,} octets"),
        ("  received", f"{one['packets_received']:,} packets, {one['octets_received']:,} octets"),
        ("  lost", f"{one['lost']:,} packets; {one['replayed']:,} came twice or too late, {one['forged']:,} were forged"),
    ])  # fmt: skip


def _moves(one: AssociationReport) -> str:
    """Say whether it has ever gone another way."""
    return f", since {second(one['moved'])} (moved {_times(one['moves'])})" if one["moves"] else ""


def _changed(number: int) -> str:
    return f"changed {_times(number)}" if number else "never changed"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def close_text(result: list[AssociationReport]) -> str:
    """Say what was closed."""
    who = ", ".join(dict.fromkeys(", ".join(one["people"]) or one["peer"] for one in result))
    return f"The association with {who} is closed. A call that needs it makes a new one."


def ping_text(result: PingReport) -> str:
    """Say how a ping went."""
    way = "in UDP" if result["encapsulated"] else "in IP itself"
    made = (
        f"was made in {_milliseconds(result['base_exchange'])}"
        if result["made"]
        else "stood already, and was pinged along its own path"
    )
    lost = 100 * (result["sent"] - result["received"]) / result["sent"]
    lines = [
        f"{result['peer']} at {result['address']}, {way}, as {result['own']}",
        f"The association {made}: {result['algorithms']}.",
        f"{result['sent']} echo{'es' if result['sent'] != 1 else ''} sent, {result['received']} answered, {lost:.0f} % lost.",
    ]
    if result["received"]:
        least, average, most = (_milliseconds(result[key]) for key in ("least", "average", "most"))
        lines.append(f"Round trip: {least} at least, {average} on average, {most} at most.")
    else:
        lines.append(_UNANSWERED)
    return "\n".join(lines)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


_UNANSWERED = (
    "Both sides have proven who they are, but no echo was answered. Does the other side answer ICMPv6 at its HIT? "
    "Does a firewall stop ESP, which is IP protocol 50 where it is not in UDP?"
)
