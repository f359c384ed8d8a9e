"""Hypothesis strategies of what HIP parameters hold."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hypothesis import strategies as st

from p2pship.bearer.hip.certparameter import CertificateParameter
from p2pship.bearer.hip.locatorset import LocatorField
from p2pship.bearer.hip.natparameters import PeerPermission, TransportAddress
from p2pship.bearer.hip.numbers import LocatorType, ParameterType
from p2pship.bearer.hip.parameters import (
    DiffieHellman,
    ESPInfo,
    HostID,
    Notification,
    Puzzle,
    Signature,
    Solution,
)
from p2pship.bearer.hip.registration import Registration, RegistrationFailed, RegistrationInfo

u8, u16, u32, u64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))
octets = st.binary(max_size=80)
hashes = st.integers(1, 48)

hosts = st.one_of(
    u32.map(lambda number: str(IPv4Address(number))),
    st.integers(0, (1 << 128) - 1)
    .map(IPv6Address)
    .filter(lambda address: address.ipv4_mapped is None)
    .map(str),
)
types = st.lists(u8, min_size=1, max_size=9).map(tuple)


def numbers(each: st.SearchStrategy[int], most: int = 9) -> st.SearchStrategy[tuple[int, ...]]:
    """Return lists of numbers."""
    return st.lists(each, min_size=1, max_size=most).map(tuple)


def _locator(draw: Any) -> LocatorField:
    type_ = draw(st.sampled_from(LocatorType))
    common = draw(u8), type_, draw(st.booleans()), draw(u32), draw(hosts)
    if type_ == LocatorType.ADDRESS:
        return LocatorField(*common)
    if type_ == LocatorType.SPI_AND_ADDRESS:
        return LocatorField(*common, draw(u32))
    return LocatorField(*common, draw(u32), draw(u16), draw(u8), draw(u8), draw(u32))


locators = st.composite(_locator)()
transport_addresses = st.builds(TransportAddress, hosts, u16, u8)
domains = st.one_of(st.just((0, b"")), st.tuples(st.integers(0, 15), octets))
certificates = st.tuples(u8, st.integers(1, 255)).flatmap(
    lambda pair: st.builds(
        CertificateParameter, st.just(pair[0]), st.just(pair[1]), st.integers(1, pair[1]), u8, octets
    )
)

VALUES: dict[int, st.SearchStrategy[Any]] = {
    ParameterType.ESP_INFO: st.builds(ESPInfo, u16, u32, u32),
    ParameterType.R1_COUNTER: u64,
    ParameterType.LOCATOR_SET: st.lists(locators, max_size=16).map(tuple),
    ParameterType.PUZZLE: hashes.flatmap(
        lambda size: st.builds(Puzzle, u8, u8, u16, st.binary(min_size=size, max_size=size))
    ),
    ParameterType.SOLUTION: hashes.flatmap(
        lambda size: st.builds(Solution, u8, u16, *[st.binary(min_size=size, max_size=size)] * 2)
    ),
    ParameterType.SEQ: u32,
    ParameterType.ACK: numbers(u32),
    ParameterType.DH_GROUP_LIST: numbers(u8),
    ParameterType.DIFFIE_HELLMAN: st.builds(DiffieHellman, u8, st.binary(min_size=1, max_size=80)),
    ParameterType.HIP_CIPHER: numbers(u16, 6),
    ParameterType.NAT_TRAVERSAL_MODE: numbers(u16, 6),
    ParameterType.TRANSACTION_PACING: u32,
    ParameterType.ENCRYPTED: octets,
    ParameterType.HOST_ID: st.builds(
        lambda algorithm, identity, domain: HostID(algorithm, identity, *domain),
        u16,
        st.binary(min_size=1, max_size=80),
        domains,
    ),
    ParameterType.HIT_SUITE_LIST: numbers(st.integers(0, 15)),
    ParameterType.CERT: certificates,
    ParameterType.NOTIFICATION: st.builds(Notification, u16, octets),
    ParameterType.ECHO_REQUEST_SIGNED: octets,
    ParameterType.REG_INFO: st.builds(RegistrationInfo, u8, u8, st.lists(u8, max_size=9).map(tuple)),
    ParameterType.REG_REQUEST: st.builds(Registration, u8, types),
    ParameterType.REG_RESPONSE: st.builds(Registration, u8, types),
    ParameterType.REG_FAILED: st.builds(RegistrationFailed, u8, types),
    ParameterType.REG_FROM: transport_addresses,
    ParameterType.ECHO_RESPONSE_SIGNED: octets,
    ParameterType.TRANSPORT_FORMAT_LIST: numbers(u16),
    ParameterType.ESP_TRANSFORM: numbers(u16, 6),
    ParameterType.RELAYED_ADDRESS: transport_addresses,
    ParameterType.MAPPED_ADDRESS: transport_addresses,
    ParameterType.PEER_PERMISSION: st.builds(PeerPermission, hosts, u16, hosts, u16, u8, u32, u32),
    ParameterType.CANDIDATE_PRIORITY: u32,
    ParameterType.NOMINATE: u32,
    ParameterType.HIP_MAC: octets,
    ParameterType.HIP_MAC_2: octets,
    ParameterType.HIP_SIGNATURE_2: st.builds(Signature, u16, octets),
    ParameterType.HIP_SIGNATURE: st.builds(Signature, u16, octets),
    ParameterType.ECHO_RESPONSE_UNSIGNED: octets,
    ParameterType.ECHO_REQUEST_UNSIGNED: octets,
    ParameterType.RELAY_FROM: transport_addresses,
    ParameterType.RELAY_TO: transport_addresses,
    ParameterType.FROM: hosts,
    ParameterType.RVS_HMAC: octets,
    ParameterType.VIA_RVS: st.lists(hosts, min_size=1, max_size=4).map(tuple),
    ParameterType.RELAY_HMAC: octets,
}
"Every value that a parameter may have, by its type."
