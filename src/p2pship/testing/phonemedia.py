"""What a test phone offers and answers (RFC 3264): audio, PCMU and telephone events, and video if it is asked to."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

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
        self.video: RTPStream | None = None
        "the picture, once there is one; what it sends only looks like one"
        self.video_on = False
        "whether it is offered, and answered"
        self._open_stream = lambda: RTPStream(reactor, timers, host, random)
        self._session = random.getrandbits(31)
        self._version = 0

    def add_video(self) -> RTPStream:
        """Offer and answer video from now on, and return its stream."""
        self.video = self.video or self._open_stream()
        self.video_on = True
        return self.video

    def close(self) -> Deferred[Any]:
        """Close all ports."""
        return gatherResults([super().close(), *([self.video.close()] if self.video is not None else [])])

    def offer(self, hold_by_address: bool = False) -> bytes:
        """Return an offer; ``hold_by_address`` says it in the manner of RFC 2543, with 0.0.0.0."""
        shown = "0.0.0.0" if hold_by_address else self.address.host
        return self._describe([*self._audio_lines(self.wanted), *self._video_lines()], shown)

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
            if line is chosen:
                lines += self._audio_lines(direction)
            elif line.kind == "video" and line.port and self.video_on:
                self._aim_video(line)
                lines += self._video_lines()
            else:
                lines.append(refused)
        return self._describe(lines, self.address.host)

    def take_answer(self, description: bytes) -> None:
        """Take the answer to what was offered last; raises as :meth:`take_offer`."""
        answer = SDP.parse(description)
        answered = audio_in(answer)
        self._agree(answered, answer_direction(answered.direction, self.wanted))
        for line in answer.media:
            if line.kind == "video":
                self._aim_video(line)

    def _aim_video(self, line: MediaLine) -> None:
        if self.video is not None:
            self.video.aim(line.rtp if self.video_on else None, line.rtcp)

    def _video_lines(self) -> list[str]:
        """Return the line of the picture, with port 0 once it is switched off again (RFC 3264 §8.2)."""
        if self.video is None:
            return []
        return [
            f"m=video {self.video.address.port if self.video_on else 0} RTP/AVP 96",
            "a=rtpmap:96 H264/90000",
        ]

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
