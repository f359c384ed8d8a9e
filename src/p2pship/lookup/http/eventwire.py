"""Server-sent events as they come (HTML Living Standard §9.2.6): lines to events."""

from __future__ import annotations

from p2pship.errors import RemoteError
from p2pship.lookup.http.wire import LONGEST_SLOT

LONGEST_EVENT = 2 * LONGEST_SLOT
"Characters of a line, and of the data of one event: Base64 makes a slot a third longer."


class BadEvents(RemoteError):
    """These are not server-sent events, or they are too long."""


class EventReader:
    """Reads a stream of events, however it is cut into pieces. Identifiers and times to wait are passed over."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._after_return = False
        self._type = ""
        self._data: list[str] = []

    def received(self, octets: bytes) -> list[tuple[str, str]]:
        """Return the type and the data of each event that is now complete.

        :raises BadEvents: if a line, or an event, is too long, or is not UTF-8.
        """
        if not octets:
            return []
        if self._after_return and octets.startswith(b"\n"):  # CR and LF are one end of a line
            octets = octets[1:]
        self._after_return = octets.endswith(b"\r")
        self._line += octets
        *lines, rest = self._line.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._line = bytearray(rest)
        if max(map(len, (*lines, rest))) > LONGEST_EVENT:
            raise BadEvents("a line of the events is too long")
        return [event for line in lines for event in self._line_received(bytes(line))]

    def _line_received(self, line: bytes) -> list[tuple[str, str]]:
        try:
            name, _, value = line.decode("utf-8").partition(":")
        except UnicodeDecodeError:
            raise BadEvents("the events are not UTF-8") from None
        if not line:
            return self._ended()
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
            if sum(map(len, self._data)) + len(self._data) > LONGEST_EVENT:
                raise BadEvents("an event is too long")
        return []

    def _ended(self) -> list[tuple[str, str]]:
        kind, data = self._type or "message", self._data
        self._type, self._data = "", []
        return [(kind, "\n".join(data))] if data else []
