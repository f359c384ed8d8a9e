"""Hypothesis strategies for SIP values."""

from __future__ import annotations

from hypothesis import strategies as st

from p2pship.sip.message import Request, request
from p2pship.sip.uri import SIPURI, NameAddr, Parameters, Via

TOKEN_CHARACTERS = "abcXYZ019-.!%*_+`'~"
tokens = st.text(TOKEN_CHARACTERS, min_size=1, max_size=12)

_USER_CHARACTERS = "abcXYZ019-_.!~*'()&=+$,;?/"
escapes = st.integers(0, 255).map(lambda octet: f"%{octet:02X}")
users = st.lists(st.text(_USER_CHARACTERS, min_size=1, max_size=5) | escapes, min_size=1, max_size=4).map(
    "".join
)
names = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z][a-z0-9]{0,5}){0,2}", fullmatch=True)
addresses = st.ip_addresses().map(str)
hosts = names | addresses
ports = st.none() | st.integers(1, 65535)

_PNAME = st.text("abcXYZ019-_.!~*'()[]/:&+$", min_size=1, max_size=8)


def _distinct(pairs: list[tuple[str, str | None]]) -> tuple[tuple[str, str | None], ...]:
    return tuple({name.lower(): (name, value) for name, value in pairs}.values())


def parameters(
    names: st.SearchStrategy[str], values: st.SearchStrategy[str]
) -> st.SearchStrategy[Parameters]:
    """Parameters with distinct names."""
    pairs = st.tuples(names, st.none() | values)
    return st.lists(pairs, max_size=4).map(_distinct).map(Parameters)


uri_parameters = parameters(_PNAME, _PNAME)
_quoted = st.text(st.characters(exclude_characters='"\\\r\n', codec="utf-8"), max_size=6).map('"{}"'.format)
header_parameters = parameters(tokens, tokens | _quoted)
_header_pairs = st.tuples(
    _PNAME.filter(lambda name: "&" not in name), st.text("abc019-_.!~*'()[]/?:+$", max_size=6)
)

uris = st.builds(
    SIPURI,
    scheme=st.sampled_from(["sip", "sips"]),
    user=st.none() | users,
    host=hosts,
    port=ports,
    parameters=uri_parameters,
    headers=st.lists(_header_pairs, max_size=2).map(tuple),
)
displays = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=12)
name_addrs = st.builds(NameAddr, display=displays, uri=uris.map(str), parameters=header_parameters)
vias = st.builds(
    Via,
    transport=st.sampled_from(["UDP", "TCP", "TLS", "P2P"]),
    host=hosts,
    port=ports,
    parameters=header_parameters,
)

header_names = st.sampled_from(["Via", "Route", "X-Other", "Contact", "Subject", "To", "From", "CSeq"])
header_values = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Requests of every kind of header and body, not all valid."""
    headers = draw(st.lists(st.tuples(header_names, header_values), max_size=12))
    return request(draw(tokens), str(draw(uris)), headers, draw(st.binary(max_size=60)))
