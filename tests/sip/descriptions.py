"""Hypothesis strategies for session descriptions as phones write them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True)
class Described:
    """A description, and what of it must come through and what must not."""

    text: bytes
    addresses: tuple[str, ...]
    "the phone's addresses in it"
    untouched: list[bytes]
    "the lines that no relay has reason to change, in order"


ADDRESSES = ("192.0.2.17", "198.51.100.200", "2001:db8::77")

_TYPE = {address: "IP6" if ":" in address else "IP4" for address in ADDRESSES}

_KEPT = (
    *("b=AS:256", "b=TIAS:64000", "i=talk", "a=rtpmap:96 H264/90000", "a=fmtp:96 profile-level-id=42e01f"),
    *(
        "a=sendrecv",
        "a=inactive",
        "a=rtcp-mux",
        "a=mid:0",
        "a=ptime:20",
        "a=rtcp-fb:96 nack pli",
        "a=setup:actpass",
    ),
    *(
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        "a=rtcp-xr:voip-metrics",
    ),
    *(
        "a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35",
        "a=ssrc:1 cname:x",
        "a=x",
        "a=content:main",
    ),
)

_HIDING = (
    "a=candidate:1 1 udp 2113937151 {} 54400 typ host",
    "a=rtcp:5005 IN {type} {}",
    "a=alt:1 1 : user pass {} 5004",
    "a=altc:1 {type} {} 5004",
    "a=path:msrp://{}:2855/abc;tcp",
    "a=source-filter: incl IN {type} * {}",
    "a=X-nat:{}",
)

_PROTOCOLS = (
    *("RTP/AVP 0 8 101", "RTP/AVPF 96", "RTP/SAVP 0", "RTP/SAVPF 96", "UDP/TLS/RTP/SAVPF 96", "udptl t38"),
    *("TCP/MSRP *", "TCP/BFCP *", "TCP/RTP/AVP 0"),
)


@st.composite
def _lines(draw: st.DrawFn) -> list[tuple[str, bool]]:
    """Attribute lines, each with whether it is to come through."""
    address = st.sampled_from(ADDRESSES)
    lines: list[tuple[str, bool]] = []
    for kept in draw(st.lists(st.booleans(), max_size=5)):
        if kept:
            lines.append((draw(st.sampled_from(_KEPT)), True))
        else:
            chosen = draw(address)
            lines.append((draw(st.sampled_from(_HIDING)).format(chosen, type=_TYPE[chosen]), False))
    return lines


@st.composite
def descriptions(draw: st.DrawFn) -> Described:
    """A valid description with up to four media lines; every address of its own stands in an o= or c= line."""
    lines: list[tuple[str, bool]] = [("v=0", True), (f"o=- 1 1 IN IP4 {ADDRESSES[0]}", False)]
    lines += [
        (draw(st.sampled_from(("s=-", "s=call"))), True),
        (f"c=IN IP4 {ADDRESSES[1]}", False),
        ("t=0 0", True),
    ]
    lines += [(line, kept) for line, kept in draw(_lines()) if line != "i=talk" and not line.startswith("b=")]
    for _ in range(draw(st.integers(1, 4))):
        port = draw(st.sampled_from((0, 9, 5004, 65534)))
        kind = draw(st.sampled_from(("audio", "video", "message", "image")))
        lines.append((f"m={kind} {port} {draw(st.sampled_from(_PROTOCOLS))}", False))
        lines.append((f"c=IN {_TYPE[ADDRESSES[2]]} {ADDRESSES[2]}", False))
        lines += draw(_lines())
    end = draw(st.sampled_from(("\r\n", "\n")))
    text = "".join(line + end for line, _ in lines)
    return Described(text.encode(), ADDRESSES, [(line + end).encode() for line, kept in lines if kept])
