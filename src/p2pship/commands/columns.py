"""Rows of text in columns that line up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Return the rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def day(moment: float) -> str:
    """Print Unix time as the day in this machine's time zone."""
    return f"{datetime.fromtimestamp(moment):%Y-%m-%d}"


def minute(moment: float) -> str:
    """Print Unix time to the minute in this machine's time zone."""
    return f"{datetime.fromtimestamp(moment):%Y-%m-%d %H:%M}"


def second(moment: float) -> str:
    """Print Unix time to the second in this machine's time zone."""
    return f"{datetime.fromtimestamp(moment):%Y-%m-%d %H:%M:%S}"
