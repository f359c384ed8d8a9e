"""A QR code as lines of text, for terminals: two rows of its squares in each line."""

from __future__ import annotations

QUIET_ZONE = 4
"Light squares around it, without which many cameras do not find it (ISO/IEC 18004 §6.3.8)."

_HALVES = ("█", "▀", "▄", " ")
"By upper dark, lower dark: blocks are the light squares, as most terminals are dark."


def qr_text(text: str) -> str:
    """Return the QR code of a text as lines of block characters, light on the terminal's dark background.

    What no code can hold has a sentence in its place that says so.
    """
    import segno  # at first use: a node that never shows one does not pay for it

    try:
        code = segno.make(text, micro=False, error="l")
    except segno.DataOverflowError:
        return f"A QR code cannot hold these {len(text):,} letters: send the file."
    rows = [bytes(row) for row in code.matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append(bytes(len(rows[0])))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(_half(*halves) for halves in zip(*pair, strict=True)) for pair in pairs)


def _half(upper: int, lower: int) -> str:
    return _HALVES[2 * bool(upper) + bool(lower)]
