"""A call of a test phone, from either side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail, succeed

from p2pship.errors import RemoteError
from p2pship.sip.message import Request, Response, response_to
from p2pship.sip.sdp import BadSDP
from p2pship.testing.moment import Moment
from p2pship.testing.phonedialog import Dialog
from p2pship.testing.phonemedia import Media, NoCommonMedia
from p2pship.testing.phonetransactions import ClientTransaction, ServerTransaction, cancel_of

if TYPE_CHECKING:
    from p2pship.testing.phone import Phone

_SDP = ("Content-Type", "application/sdp")


class Refused(RemoteError):
    """The other side answered with a failure."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status} {response.reason}")
        self.status = response.status
        self.response = response


class State(Enum):
    """How far a call is."""

    BEGUN = "begun"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


@dataclass(frozen=True)
class Ending:
    """How a call ended."""

    remote: bool
    "whether the other side ended or refused it"
    status: int = 0
    "of the final response, if it was never answered; 0 otherwise"
    reason: str = ""
    "the Reason header of the BYE or CANCEL, or the reason phrase"
