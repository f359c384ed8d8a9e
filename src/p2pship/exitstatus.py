"""The exit status of a program whose service cannot start: what twistd needs, so that whoever started it hears of that."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress

FAILURE = 1


class CannotStart(SystemExit, Exception):
    """Ends the program with these words and a status of failure, from ``startService``.

    As an Exception it makes twistd remove its pid file, and tell the process that waits until the service runs in the background. That
    one would wait for ever after a mere SystemExit.
    """


def end_as_failure() -> None:
    """Have this process have a status of failure when it has ended in good order, which is 0 after any reactor was stopped.

    For a process that is a service of ours and nothing else: what was registered with ``atexit`` before is not called.
    """
    atexit.register(_leave)


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a full disk, or nobody who reads
            stream.flush()
    os._exit(FAILURE)
