"""What makes the contents of a parameter of its value again: the counterpart of the table in ``describe``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from p2pship.bearer.hip.describe import DECODERS
from p2pship.bearer.hip.locatorset import encode_locators
from p2pship.bearer.hip.natparameters import encode_modes, encode_number
from p2pship.bearer.hip.numbers import ParameterType
from p2pship.bearer.hip.parameters import (
    LISTS,
    encode_counter,
    encode_esp_transform,
    encode_hit_suites,
    encode_list,
    encode_seq,
)
from p2pship.bearer.hip.registration import encode_hosts

ENCODERS: dict[int, Callable[[Any], bytes]] = {
    **{type_: partial(encode_list, type_) for type_ in LISTS},
    ParameterType.R1_COUNTER: encode_counter,
    ParameterType.LOCATOR_SET: encode_locators,
    ParameterType.SEQ: encode_seq,
    ParameterType.NAT_TRAVERSAL_MODE: encode_modes,
    ParameterType.TRANSACTION_PACING: encode_number,
    ParameterType.HIT_SUITE_LIST: encode_hit_suites,
    ParameterType.ESP_TRANSFORM: encode_esp_transform,
    ParameterType.CANDIDATE_PRIORITY: encode_number,
    ParameterType.NOMINATE: encode_number,
    ParameterType.FROM: lambda value: encode_hosts([value]),
    ParameterType.VIA_RVS: encode_hosts,
}


def encoded(type_: int, value: Any) -> bytes:
    """Return the contents of a parameter that has a value."""
    if isinstance(value, bytes):
        return value
    return ENCODERS[type_](value) if type_ in ENCODERS else bytes(value.encode())


def again(type_: int, contents: bytes) -> bytes:
    """Read the contents of a parameter, and write them again."""
    return encoded(type_, DECODERS[type_](contents))
