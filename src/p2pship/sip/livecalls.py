"""The calls that are ringing or up, as the node describes them."""

from __future__ import annotations

from collections.abc import Iterable

from p2pship.sip.callbook import CallBook
from p2pship.sip.dialog import Dialog
from p2pship.status import CallStatus


def live_calls(dialogs: Iterable[Dialog], book: CallBook, now: float) -> list[CallStatus]:
    """Describe those of the dialogs that are calls."""
    return [_status(dialog, book, now) for dialog in dialogs if dialog.is_call and not dialog.ended]


def _status(dialog: Dialog, book: CallBook, now: float) -> CallStatus:
    trail = book.of(dialog)
    lines = dialog.media.relays if dialog.media else 0
    return {
        "call_id": dialog.id.call_id,
        "caller": dialog.caller,
        "callee": dialog.callee,
        "state": "up" if dialog.answered else "ringing",
        "since": dialog.answered or dialog.started,
        "seconds": now - (dialog.answered or dialog.started),
        "path": dialog.peer.path,
        "encrypted": dialog.peer.encrypted,
        "name_grade": dialog.peer.verdict.name.value,
        "media": "1 line" if lines == 1 else f"{lines} lines",
        "stages": trail.story["stages"] if trail is not None else None,
        "id": trail.story["id"] if trail is not None else "",
    }
