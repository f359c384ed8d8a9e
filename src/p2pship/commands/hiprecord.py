"""``p2pship hip record``: what an administrator writes into the DNS of a device of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from p2pship.commands.own import own_identity
from p2pship.commands.verb import Argument, Kind, Verb

if TYPE_CHECKING:
    from p2pship.desk import Desk


class RecordStatus(TypedDict):
    """The answer to ``hip record``."""

    hit: str
    record: str
    "the data of a HIP resource record as it is written in a zone file"


def _record(desk: Desk, given: dict[str, Any]) -> RecordStatus:
    from p2pship.identity.hit import format_hit
    from p2pship.lookup.dns.wire import hip_record

    device = desk.keyring.device if given["own"] is None else own_identity(desk, given["own"]).device
    return {"hit": format_hit(device.hit), "record": hip_record(device.hit, device.key).text()}


def _text(result: RecordStatus) -> str:
    return f"IN HIP ( {result['record']} )"


RECORD = Verb(
    "hip",
    "record",
    "show the HIP resource record of a device of ours, for a zone of the DNS",
    run=_record,
    text=_text,
    arguments=(
        Argument(
            "own",
            "the identity whose device it is, if not the node's own",
            Kind.AOR,
            option=True,
            optional=True,
        ),
    ),
)
