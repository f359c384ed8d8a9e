"""The frames and media datagrams of a link: octets to values and back.

The page ``docs/reference/overlay.md`` draws them. Every frame starts with its kind and the number of the peer that it
is for; a *counted* frame has its own number next, by which it is resent after a broken link and taken only once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum, IntEnum
from struct import Struct
from struct import error as StructError
from typing import ClassVar, NamedTuple

from p2pship.errors import LocalError, RemoteError

MAX_HELLO = 4096
"Octets of a hello frame, header included: all that anybody can make us read before we know who it is."

MAX_PAYLOAD = 65_536
"Octets of a payload or an answer; with its header a frame of at most 65,600, which every link carries."

MAX_DATA = 16_384
"Octets of stream data in a frame: short enough that a SIP message waits for one of them only."

MAX_HEADER = 4096
"Octets that say what a stream is for."

MAX_REASON = 200
"Octets of UTF-8 in which something is explained to people."

MAX_NUMBER = 0xFFFF
"The largest peer number."

LINK = 0
"The peer number of a frame that is about the link itself."

NOBODY = 0xFF
"The subprotocol of a payload that was taken back: no hello has so many, so nobody takes it."

MEDIA_HEADER = Struct("!HH")
"A media datagram's peer number and flow number; the packet is what follows."

_HEADER = Struct("!BH")
_COUNT = Struct("!Q")


class BadFrame(RemoteError):
    """A frame is not of its form."""


class Ending(IntEnum):
    """What a goodbye means; the numbers go over the wire."""

    PAUSED = 0
    "the link is not needed now, or another is used instead: what is under way goes on"
    ENDED = 1
    "everything under way has ended"


class _Tail(Enum):
    """What follows the fields of a fixed size."""

    NONE = "nothing"
    OCTETS = "octets"
    TEXT = "UTF-8"


class _About(Enum):
    """What a frame may be about: its peer number is 0 for the link, above 0 for a peer."""

    LINK = "link"
    PEER = "peer"
    EITHER = "either"


class _Layout(NamedTuple):
    """How one kind of frame is laid out."""

    kind: int
    counted: bool
    fields: Struct
    tail: _Tail = _Tail.NONE
    most: int = 0
    about: _About = _About.PEER


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame without its header; each kind is a subclass."""

    LAYOUT: ClassVar[_Layout]


@dataclass(frozen=True, slots=True)
class Hello(Frame):
    """Opens a peer number, or answers that; see :mod:`p2pship.overlay.hello`."""

    LAYOUT: ClassVar = _Layout(0x01, False, Struct("!"), _Tail.OCTETS, MAX_HELLO - _HEADER.size)
    body: bytes


@dataclass(frozen=True, slots=True)
class Refused(Frame):
    """Answers a hello that was not accepted, and never says why."""

    LAYOUT: ClassVar = _Layout(0x02, False, Struct("!"))


@dataclass(frozen=True, slots=True)
class Received(Frame):
    """Says which counted frames need not be kept any longer."""

    LAYOUT: ClassVar = _Layout(0x03, False, Struct("!Q"))
    number: int
    "the last counted frame that came; 0 when none has"


@dataclass(frozen=True, slots=True)
class Ping(Frame):
    """Asks for a pong."""

    LAYOUT: ClassVar = _Layout(0x04, False, Struct("!I"), about=_About.LINK)
    token: int


@dataclass(frozen=True, slots=True)
class Pong(Frame):
    """Answers a ping."""

    LAYOUT: ClassVar = _Layout(0x05, False, Struct("!I"), about=_About.LINK)
    token: int
    "the ping's"


@dataclass(frozen=True, slots=True)
class Bye(Frame):
    """Ends the use of this link, by one peer or by all."""

    LAYOUT: ClassVar = _Layout(0x06, False, Struct("!B"), _Tail.TEXT, MAX_REASON, _About.EITHER)
    ending: int
    "an :class:`Ending`; what is not known counts as PAUSED"
    reason: str


@dataclass(frozen=True, slots=True)
class Payload(Frame):
    """Carries a message of a subprotocol."""

    LAYOUT: ClassVar = _Layout(0x10, True, Struct("!BI"), _Tail.OCTETS, MAX_PAYLOAD)
    subprotocol: int
    "its place, from 0, in the receiver's hello"
    id: int
    "the sender's name for it"
    body: bytes


@dataclass(frozen=True, slots=True)
class Ack(Frame):
    """Says that a payload was taken."""

    LAYOUT: ClassVar = _Layout(0x11, True, Struct("!I"), _Tail.OCTETS, MAX_PAYLOAD)
    id: int
    "the payload's"
    answer: bytes


@dataclass(frozen=True, slots=True)
class Nack(Frame):
    """Says that a payload was not taken."""

    LAYOUT: ClassVar = _Layout(0x12, True, Struct("!I"), _Tail.TEXT, MAX_REASON)
    id: int
    "the payload's"
    reason: str


@dataclass(frozen=True, slots=True)
class StreamOpen(Frame):
    """Opens a stream; a StreamWindow accepts it, a StreamReset refuses it."""

    LAYOUT: ClassVar = _Layout(0x20, True, Struct("!IBI"), _Tail.OCTETS, MAX_HEADER)
    stream: int
    subprotocol: int
    "its place, from 0, in the receiver's hello"
    credit: int
    "how many octets the receiver may send at first"
    header: bytes


@dataclass(frozen=True, slots=True)
class StreamData(Frame):
    """Carries octets of a stream."""

    LAYOUT: ClassVar = _Layout(0x21, True, Struct("!I"), _Tail.OCTETS, MAX_DATA)
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamWindow(Frame):
    """Lets the other side send more."""

    LAYOUT: ClassVar = _Layout(0x22, True, Struct("!II"))
    stream: int
    credit: int
    "how many octets more"


@dataclass(frozen=True, slots=True)
class StreamClose(Frame):
    """Says that no more data comes on a stream."""

    LAYOUT: ClassVar = _Layout(0x23, True, Struct("!I"))
    stream: int


@dataclass(frozen=True, slots=True)
class StreamReset(Frame):
    """Ends a stream at once in both directions, or refuses it."""

    LAYOUT: ClassVar = _Layout(0x24, True, Struct("!I"), _Tail.TEXT, MAX_REASON)
    stream: int
    reason: str


KINDS: dict[int, type[Frame]] = {
    kind.LAYOUT.kind: kind
    for kind in (
        *(Hello, Refused, Received, Ping, Pong, Bye),
        *(Payload, Ack, Nack),
        *(StreamOpen, StreamData, StreamWindow, StreamClose, StreamReset),
    )
}
"Every kind of frame by its number."

_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in KINDS.values()}


class Parcel(NamedTuple):
    """A frame with what its header says."""

    peer: int
    "the peer number; 0 for the link itself"
    number: int
    "the number of a counted frame, from 1; 0 for the others"
    frame: Frame


def encode(frame: Frame, peer: int, number: int = 0) -> bytes:
    """Return the octets of a frame for a peer number; a counted one has a number.

    :raises LocalError: if something does not fit.
    """
    layout = frame.LAYOUT
    values = [getattr(frame, name) for name in _NAMES[type(frame)]]
    tail = _tail_octets(layout, values.pop()) if layout.tail is not _Tail.NONE else b""
    try:
        header = _HEADER.pack(layout.kind, peer)
        count = _COUNT.pack(number) if layout.counted else b""
        return b"".join((header, count, layout.fields.pack(*values), tail))
    except StructError as error:
        raise LocalError(f"{type(frame).__name__}: {error}") from error


def _tail_octets(layout: _Layout, value: bytes | str) -> bytes:
    octets = value.encode() if isinstance(value, str) else value
    if len(octets) > layout.most:
        raise LocalError(
            f"{len(octets)} octets do not fit into a frame of kind {layout.kind}: at most {layout.most}"
        )
    return octets


def parse(data: bytes) -> Parcel:
    """Read a frame.

    :raises BadFrame: if it is not of its form.
    """
    try:
        kind, peer = _HEADER.unpack_from(data)
        layout = KINDS[kind].LAYOUT
        number = _COUNT.unpack_from(data, _HEADER.size)[0] if layout.counted else 0
        start = _HEADER.size + (_COUNT.size if layout.counted else 0)
        values = layout.fields.unpack_from(data, start)
    except StructError:
        raise BadFrame(f"a frame of {len(data)} octets is too short") from None
    except KeyError:
        raise BadFrame(f"there is no frame of kind {data[0]}") from None
    _check_header(layout, peer, number)
    tail = _read_tail(layout, data[start + layout.fields.size :])
    return Parcel(peer, number, KINDS[kind](*values, *tail))


def _check_header(layout: _Layout, peer: int, number: int) -> None:
    about = _About.LINK if peer == LINK else _About.PEER
    if layout.about not in (about, _About.EITHER):
        raise BadFrame(f"a frame of kind {layout.kind} cannot be about peer number {peer}")
    if layout.counted and not number:
        raise BadFrame("a counted frame has no number")


def _read_tail(layout: _Layout, octets: bytes) -> tuple[()] | tuple[bytes | str]:
    if len(octets) > layout.most:
        raise BadFrame(f"a frame of kind {layout.kind} is {len(octets) - layout.most} octets too long")
    if layout.tail is _Tail.NONE:
        return ()
    if layout.tail is _Tail.OCTETS:
        return (octets,)
    try:
        return (octets.decode(),)
    except UnicodeDecodeError:
        raise BadFrame("a reason is not UTF-8") from None


def short(reason: str) -> str:
    """Cut a reason to what fits into a frame."""
    return reason.encode(errors="replace")[:MAX_REASON].decode(errors="ignore")
