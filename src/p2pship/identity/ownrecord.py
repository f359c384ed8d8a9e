"""The record of a device of ours, as a device of one of our identities."""

from __future__ import annotations

from collections.abc import Sequence

from p2pship.address import Locator
from p2pship.identity.identity import Identity
from p2pship.identity.record import sign_record
from p2pship.identity.statement import person_hash
from p2pship.identity.validity import RECORD_LIFETIME

STATUS = "status"
"The service parameter of a record that says what the person says of themselves."


def own_record(
    own: Identity,
    sequence: int,
    locators: Sequence[Locator],
    now: float,
    parameters: Sequence[tuple[str, str]],
) -> bytes:
    """Sign a record of the device that an identity is used on; raises LocalError as :func:`~p2pship.identity.record.sign_record`."""
    status = [(STATUS, own.about.status)] if own.about.status else []
    return sign_record(
        own.device.sign,
        person=person_hash(own.aor, own.key),
        statement_version=own.stated().version,
        sequence=sequence,
        issued=int(now),
        expires=int(now) + RECORD_LIFETIME,
        device_key=own.device.key,
        sealing_key=own.device.sealing_key,
        locators=locators,
        parameters=[*parameters, *status],
    )
