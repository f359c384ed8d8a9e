"""Two test phones, and what tests ask of them."""

from __future__ import annotations

from random import Random

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from p2pship.sip.message import Request, Response
from p2pship.testing.phone import AT_ONCE, Call, IncomingCall, OutgoingCall, Phone, Refused
from p2pship.testing.phonemedia import Media


def requests(phone: Phone, method: str) -> list[Request]:
    """Return what a phone received of a method."""
    return [
        message for message in phone.received if isinstance(message, Request) and message.method == method
    ]


def statuses(phone: Phone) -> list[int]:
    """Return the statuses that a phone received, without repetitions in a row."""
    found = [message.status for message in phone.received if isinstance(message, Response)]
    return [status for at, status in enumerate(found) if not at or found[at - 1] != status]


def more(media: Media, count: int) -> Deferred[None]:
    """Wait for so many more packets."""
    wanted = len(media.packets) + count
    return media.until(lambda: len(media.packets) >= wanted)


async def refusal(call: Call) -> Refused:
    """Return why a call was refused."""
    try:
        await call.answered
    except Refused as error:
        return error
    raise AssertionError("it was answered")


class TwoPhones(TestCase):
    """Alice's phone and Bob's, on real sockets."""

    transport = "udp"

    def setUp(self) -> None:
        """Switch two phones on."""
        self.alice = self._phone("alice@example.com", display="Alice")
        self.bob = self._phone("bob@example.com")

    def _phone(self, aor: str, display: str = "") -> Phone:
        phone = Phone(reactor, aor, transport=self.transport, display=display, random=Random(len(aor)))
        phone.start()
        self.addCleanup(phone.stop)
        return phone

    def place(self, offer: bool = True) -> OutgoingCall:
        """Return Alice's call to Bob."""
        return self.alice.call(self.bob.line.contact, offer=offer)

    async def up(self, offer: bool = True) -> tuple[OutgoingCall, IncomingCall]:
        """Return both ends of a call that is up."""
        self.bob.answering = AT_ONCE
        call = self.place(offer)
        await call.answered
        callee = self.bob.calls[-1]
        assert isinstance(callee, IncomingCall)
        await callee.answered
        return call, callee
