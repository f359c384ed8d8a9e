"""What a child that a test forks must not do."""

from __future__ import annotations

from twisted.logger import globalLogPublisher


def be_silent() -> None:
    """Log nothing in this process any more: where trial has several workers, a log line goes to the one above over a pipe
    that the child shares with its parent, and each would take the other's answers for its own.
    """
    for observer in tuple(globalLogPublisher._observers):
        globalLogPublisher.removeObserver(observer)
