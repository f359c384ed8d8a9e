"""The device record: what a device signs: reachable at these locators, until then, as a device of this person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p2pship.address import Locator
from p2pship.errors import BadPapers, LocalError
from p2pship.identity.cbor import BadCBOR, encode
from p2pship.identity.cose import parse_sign1, sign1
from p2pship.identity.fields import FORMAT_VERSION, Fields
from p2pship.identity.keys import BadKey, compressed
from p2pship.identity.locators import LONGEST_LOCATORS, decode_locators, encode_locators
from p2pship.identity.papers import Record
from p2pship.identity.validity import RECORD_LIFETIME, check_validity

CONTEXT = "p2pship device record v1"
"What its signature is made for."

LONGEST_RECORD = 672
"Octets: a sealed item has to hold it with references to the statement, certificates and revocation list; 525 without parameters."

MOST_PARAMETERS = 16
LONGEST_PARAMETER = 128
"Octets of the name of a service parameter, and of its value."

_HASH_LENGTH = 32
_SEALING_KEY_LENGTH = 32
(
    _PERSON,
    _STATEMENT_VERSION,
    _SEQUENCE,
    _ISSUED,
    _EXPIRES,
    _DEVICE_KEY,
    _SEALING_KEY,
    _LOCATORS,
    _PARAMETERS,
) = range(1, 10)


def sign_record(
    sign: Callable[[bytes], bytes],
    *,
    person: bytes,
    statement_version: int,
    sequence: int,
    issued: int,
    expires: int,
    device_key: bytes,
    sealing_key: bytes,
    locators: Sequence[Locator],
    parameters: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return the signed record of a device; ``sign`` signs with the Host Identity, whose public half is ``device_key``.

    Of the locators, most preferred first, as many are named as there is room for.

    :raises LocalError: if it would not be believed: too many parameters, or a value that is not of its form.
    """
    try:
        fields: dict[int, object] = {
            0: FORMAT_VERSION,
            _PERSON: person,
            _STATEMENT_VERSION: statement_version,
            _SEQUENCE: sequence,
            _ISSUED: issued,
            _EXPIRES: expires,
            _DEVICE_KEY: compressed(device_key),
            _SEALING_KEY: sealing_key,
            _LOCATORS: encode_locators(locators),
        }
        if parameters:
            fields[_PARAMETERS] = dict(parameters)
        raw = sign1(encode(fields), CONTEXT, sign)
        verify_record(raw, issued)
    except (BadPapers, BadKey) as error:
        raise LocalError(f"a record that nobody would believe: {error}") from error
    return raw


def verify_record(raw: bytes, now: float) -> Record:
    """Check a record's form, signature and dates at ``now``, and return it.

    :raises BadPapers: if one of them is wrong; the message says which.
    """
    if len(raw) > LONGEST_RECORD:
        raise BadPapers(f"the record has {len(raw)} octets, more than {LONGEST_RECORD}")
    try:
        signed = parse_sign1(raw)
    except BadCBOR as error:
        raise BadPapers(f"the record cannot be read: {error}") from None
    fields = Fields("record", signed.payload)
    key = fields.key(_DEVICE_KEY, "host identity")
    if not signed.signed_by(key, CONTEXT):
        raise BadPapers("the record's signature is not that of its host identity")
    record = _record(fields, key, raw)
    check_validity("record", record.issued, record.expires, RECORD_LIFETIME, now)
    return record


def _record(fields: Fields, key: bytes, raw: bytes) -> Record:
    return Record(
        person=fields.octets(_PERSON, "hash of the person", _HASH_LENGTH),
        statement_version=fields.unsigned(_STATEMENT_VERSION, "statement version"),
        sequence=fields.unsigned(_SEQUENCE, "sequence number"),
        issued=fields.unsigned(_ISSUED, "date"),
        expires=fields.unsigned(_EXPIRES, "end"),
        device_key=key,
        sealing_key=fields.octets(_SEALING_KEY, "sealing key", _SEALING_KEY_LENGTH),
        locators=decode_locators(fields.long_octets(_LOCATORS, "locators", LONGEST_LOCATORS)),
        parameters=fields.texts(_PARAMETERS, "parameters", MOST_PARAMETERS, LONGEST_PARAMETER),
        raw=raw,
    )
