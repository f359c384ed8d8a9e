"""What a test phone offers and answers (RFC 3264): one audio stream, PCMU and telephone events."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from p2pship.errors import RemoteError
from p2pship.sip.sdp import SDP, MediaLine
from p2pship.testing.audio import RATE
from p2pship.testing.rtp import PCMU, RTPStream
from p2pship.testing.timers import Timers

_EVENT_MAP = re.compile(rf"([0-9]+) +telephone-event/{RATE}", re.IGNORECASE)


class NoCommonMedia(RemoteError):
    """The other side's description has no PCMU audio."""


def audio_in(description: SDP) -> MediaLine:
    """Return the audio that a phone can take.

    :raises NoCommonMedia: if there is none.
    """
    for line in description.media:
        if line.kind == "audio" and line.is_udp and line.port and str(PCMU) in line.formats:
            return line
    raise NoCommonMedia


def answer_direction(offered: str, wanted: str) -> str:
    """Return the direction that answers an offer when one wants another (RFC 3264 §6.1)."""
    send = offered in ("sendrecv", "recvonly") and wanted in ("sendrecv", "sendonly")
    receive = offered in ("sendrecv", "sendonly") and wanted in ("sendrecv", "recvonly")
    if send and receive:
        return "sendrecv"
    return "sendonly" if send else "recvonly" if receive else "inactive"


class Media(RTPStream):
    """The audio of one call."""

    def __init__(self, reactor: Any, timers: Timers, host: str, random: Random) -> None:
        super().__init__(reactor, timers, host, random)
        self.wanted = "sendrecv"
        "the direction that this side offers, and answers if it can"
        self.direction = "inactive"
        "the direction that is agreed, as this side says it"
        self.remote: MediaLine | None = None
        "what the other side says of its audio"
        self._session = random.getrandbits(31)
        self._version = 0

    def offer(self, hold_by_address: bool = False) -> bytes:
        """Return an offer; ``hold_by_address`` says it in the manner of RFC 2543, with 0.0.0.0."""
        shown = "0.0.0.0" if hold_by_address else self.address.host
        return self._describe(self._audio_lines(self.wanted), shown)

    def take_offer(self, description: bytes) -> bytes:
        """Take an offer, and return the answer.

        :raises BadSDP: if it cannot be read.
        :raises NoCommonMedia: if it cannot be answered.
        """
        offer = SDP.parse(description)
        chosen = audio_in(offer)
        self.event_type = self._event_type(chosen)
        direction = answer_direction(chosen.direction, self.wanted)
        self._agree(chosen, direction)
        lines: list[str] = []
        for line in offer.media:
            refused = f"m={line.kind} 0 {line.protocol} {' '.join(line.formats)}"
            lines += self._audio_lines(direction) if line is chosen else [refused]
        return self._describe(lines, self.address.host)

    def take_answer(self, description: bytes) -> None:
        """Take the answer to what was offered last; raises as :meth:`take_offer`."""
        answered = audio_in(SDP.parse(description))
        self._agree(answered, answer_direction(answered.direction, self.wanted))

    def _agree(self, remote: MediaLine, direction: str) -> None:
        self.remote, self.direction = remote, direction
        sending = direction in ("sendrecv", "sendonly")
        self.aim(remote.rtp if sending else None, remote.rtcp)

    def _event_type(self, line: MediaLine) -> int:
        matches = [_EVENT_MAP.fullmatch(value.strip()) for value in line.attributes("rtpmap")]
        return next((int(match[1]) for match in matches if match), self.event_type)

    def _audio_lines(self, direction: str) -> list[str]:
        return [
            f"m=audio {self.address.port} RTP/AVP {PCMU} {self.event_type}",
            f"a=rtpmap:{PCMU} PCMU/{RATE}",
            f"a=rtpmap:{self.event_type} telephone-event/{RATE}",
            f"a=fmtp:{self.event_type} 0-15",
            f"a={direction}",
        ]

    def _describe(self, media: list[str], shown: str) -> bytes:
        self._version += 1
        family = "IP6" if ":" in self.address.host else "IP4"
        origin = f"o=- {self._session} {self._version} IN {family} {self.address.host}"
        connection = f"c=IN {'IP6' if ':' in shown else 'IP4'} {shown}"
        lines = ["v=0", origin, "s=-", connection, "t=0 0", *media]
        return "".join([f"{line}\r\n" for line in lines]).encode()
