"""HIP packets in plain words, for logs and for people who look at an exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from p2pship.bearer.hip.certparameter import CertificateParameter, in_words
from p2pship.bearer.hip.eddsaidentity import EdDSAIdentity
from p2pship.bearer.hip.locatorset import LocatorField, decode_locators
from p2pship.bearer.hip.natparameters import PeerPermission, TransportAddress, decode_modes, decode_number
from p2pship.bearer.hip.numbers import (
    ANONYMOUS,
    Algorithm,
    CandidateKind,
    Cipher,
    DHGroup,
    DomainIdentifier,
    ECDSACurve,
    ESPSuite,
    HITSuite,
    LocatorType,
    NATTraversalMode,
    NotifyType,
    PacketType,
    ParameterType,
    RegistrationFailure,
    RegistrationType,
    TrafficType,
    TransportFormat,
)
from p2pship.bearer.hip.packet import BadPacket, Packet, Parameter
from p2pship.bearer.hip.parameters import (
    LISTS,
    DiffieHellman,
    ESPInfo,
    HostID,
    Notification,
    Puzzle,
    Signature,
    Solution,
    decode_ciphers,
    decode_counter,
    decode_esp_transform,
    decode_hit_suites,
    decode_list,
    decode_seq,
)
from p2pship.bearer.hip.registration import (
    Registration,
    RegistrationFailed,
    RegistrationInfo,
    decode_from,
    decode_via,
)
from p2pship.identity.hit import format_hit

LONGEST_SHOWN = 16
"Octets of a value that are shown; of longer ones, only the beginning."

Decoder = Callable[[bytes], Any]


def _list(type_: ParameterType) -> Decoder:
    return lambda contents: decode_list(type_, contents)


_P = ParameterType

DECODERS: Mapping[int, Decoder] = {
    **{type_: _list(type_) for type_ in LISTS},
    _P.ESP_INFO: ESPInfo.decode,
    _P.R1_COUNTER: decode_counter,
    _P.LOCATOR_SET: decode_locators,
    _P.PUZZLE: Puzzle.decode,
    _P.SOLUTION: Solution.decode,
    _P.SEQ: decode_seq,
    _P.DIFFIE_HELLMAN: DiffieHellman.decode,
    _P.HIP_CIPHER: decode_ciphers,
    _P.NAT_TRAVERSAL_MODE: decode_modes,
    _P.TRANSACTION_PACING: decode_number,
    _P.ENCRYPTED: bytes,
    _P.HOST_ID: HostID.decode,
    _P.HIT_SUITE_LIST: decode_hit_suites,
    _P.CERT: CertificateParameter.decode,
    _P.NOTIFICATION: Notification.decode,
    _P.ECHO_REQUEST_SIGNED: bytes,
    _P.REG_INFO: RegistrationInfo.decode,
    _P.REG_REQUEST: Registration.decode,
    _P.REG_RESPONSE: Registration.decode,
    _P.REG_FAILED: RegistrationFailed.decode,
    _P.REG_FROM: TransportAddress.decode,
    _P.ECHO_RESPONSE_SIGNED: bytes,
    _P.ESP_TRANSFORM: decode_esp_transform,
    _P.RELAYED_ADDRESS: TransportAddress.decode,
    _P.MAPPED_ADDRESS: TransportAddress.decode,
    _P.PEER_PERMISSION: PeerPermission.decode,
    _P.CANDIDATE_PRIORITY: decode_number,
    _P.NOMINATE: decode_number,
    _P.HIP_MAC: bytes,
    _P.HIP_MAC_2: bytes,
    _P.HIP_SIGNATURE_2: Signature.decode,
    _P.HIP_SIGNATURE: Signature.decode,
    _P.ECHO_RESPONSE_UNSIGNED: bytes,
    _P.ECHO_REQUEST_UNSIGNED: bytes,
    _P.RELAY_FROM: TransportAddress.decode,
    _P.RELAY_TO: TransportAddress.decode,
    _P.FROM: decode_from,
    _P.RVS_HMAC: bytes,
    _P.VIA_RVS: decode_via,
    _P.RELAY_HMAC: bytes,
}
"What reads the contents of a parameter, by its type: each returns a value, or raises BadPacket."

_NAMES: Mapping[tuple[int, str], type[IntEnum]] = {
    (_P.DH_GROUP_LIST, ""): DHGroup,
    (_P.DIFFIE_HELLMAN, "group"): DHGroup,
    (_P.HIP_CIPHER, ""): Cipher,
    (_P.NAT_TRAVERSAL_MODE, ""): NATTraversalMode,
    (_P.HOST_ID, "algorithm"): Algorithm,
    (_P.HOST_ID, "domain_type"): DomainIdentifier,
    (_P.HIT_SUITE_LIST, ""): HITSuite,
    (_P.NOTIFICATION, "type"): NotifyType,
    (_P.REG_INFO, "types"): RegistrationType,
    (_P.REG_REQUEST, "types"): RegistrationType,
    (_P.REG_RESPONSE, "types"): RegistrationType,
    (_P.REG_FAILED, "types"): RegistrationType,
    (_P.REG_FAILED, "reason"): RegistrationFailure,
    (_P.TRANSPORT_FORMAT_LIST, ""): TransportFormat,
    (_P.ESP_TRANSFORM, ""): ESPSuite,
    (_P.HIP_SIGNATURE, "algorithm"): Algorithm,
    (_P.HIP_SIGNATURE_2, "algorithm"): Algorithm,
}
"Whose numbers have names, by the type of a parameter and the name of its field."


def describe(packet: Packet) -> str:
    """Return a packet in words: a line about it, and one for each parameter, without an end of line at the end."""
    anonymous = ", anonymous" if packet.controls & ANONYMOUS else ""
    name = _name(PacketType, packet.type)
    head = f"{name} {format_hit(packet.sender)} -> {format_hit(packet.receiver)}, {len(packet.raw)} octets{anonymous}"
    return "\n".join([head, *(f"  {describe_parameter(each)}" for each in packet.parameters)])


def describe_parameter(parameter: Parameter) -> str:
    """Return one parameter in words, also if it is not valid."""
    name = _name(ParameterType, parameter.type)
    decode = DECODERS.get(parameter.type)
    if decode is None:
        kind = "critical" if parameter.type & 1 else "not critical"
        return f"{name} ({kind}, not known): {_octets(parameter.contents)}"
    try:
        return f"{name}: {_words(parameter.type, decode(parameter.contents))}"
    except BadPacket as error:
        return f"{name}, not valid: {error}"


def _words(type_: int, value: Any, field: str = "") -> str:
    if isinstance(value, HostID):
        return _host_id(value)
    if isinstance(value, LocatorField):
        return _locator(value)
    if isinstance(value, CertificateParameter):
        return in_words(value)
    if isinstance(value, bytes):
        return _octets(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = zip(value._fields, value, strict=True)
        return ", ".join(f"{name} {_words(type_, each, name)}" for name, each in fields)
    if isinstance(value, Sequence) and not isinstance(value, str):
        between = "; " if type_ == ParameterType.LOCATOR_SET else " "
        return between.join(_words(type_, each, field) for each in value) or "none"
    if field.endswith("spi"):
        return _spi(value)
    names = _NAMES.get((type_, field))
    return str(value) if names is None else _name(names, value)


def _locator(locator: LocatorField) -> str:
    words = f"{locator.host} for {_name(TrafficType, locator.traffic)}, {locator.lifetime} s"
    words += ", preferred" if locator.preferred else ""
    if locator.type == LocatorType.ADDRESS:
        return words
    if locator.type == LocatorType.TRANSPORT_ADDRESS:
        kind = _name(CandidateKind, locator.kind)
        words += f", protocol {locator.protocol} port {locator.port}, {kind} of priority {locator.priority}"
    return f"{words}, SPI {_spi(locator.spi)}"


def _spi(spi: int) -> str:
    """Return an SPI as other programs write it."""
    return f"0x{spi:08x}"


def _host_id(host_id: HostID) -> str:
    """Return a HOST_ID in words: the octets of a key say nothing to anybody."""
    name = _name(Algorithm, host_id.algorithm)
    if host_id.algorithm == Algorithm.ECDSA:
        name += " on " + _name(ECDSACurve, int.from_bytes(host_id.identity[:2], "big"))
    elif host_id.algorithm == Algorithm.EDDSA:
        name += " on " + EdDSAIdentity.decode(host_id.identity).curve.name
    domain = f", {_name(DomainIdentifier, host_id.domain_type)} {host_id.domain!r}" if host_id.domain else ""
    return f"{name}, {_octets(host_id.identity)}{domain}"


def _octets(octets: bytes) -> str:
    more = "…" if len(octets) > LONGEST_SHOWN else ""
    return f"{len(octets)} octets {octets[:LONGEST_SHOWN].hex()}{more}".strip()


def _name(names: type[IntEnum], number: int) -> str:
    try:
        return names(number).name.replace("_", "-") if names is not ParameterType else names(number).name
    except ValueError:
        return str(number)
