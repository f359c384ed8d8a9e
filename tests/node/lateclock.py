"""A reactor whose time of day can be put forward: what ends after minutes need not be waited for."""

from __future__ import annotations

from typing import Any

from zope.interface import directlyProvides, providedBy


class LateReactor:
    """The reactor that it wraps, but for the time of day, which runs ahead of it; delays last as long as ever."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._ahead = 0.0
        directlyProvides(self, providedBy(reactor))

    def put_forward(self, seconds: float) -> None:
        """Let so much time have passed."""
        self._ahead += seconds

    def seconds(self) -> float:
        """Return the Unix time, as much later as it was put forward."""
        return float(self._reactor.seconds()) + self._ahead

    def callLater(self, delay: float, function: Any, *arguments: Any, **keywords: Any) -> Any:
        """Call a function after so many seconds, whatever the time of day is by then."""
        return _LateCall(self._reactor.callLater(delay, function, *arguments, **keywords), self)

    def later(self, moment: float) -> float:
        """Return what the time of day will be at a moment of the reactor's."""
        return moment + self._ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


class _LateCall:
    """A call that says by the late clock when it is due."""

    def __init__(self, call: Any, reactor: LateReactor) -> None:
        self._call = call
        self._reactor = reactor
        directlyProvides(self, providedBy(call))

    def getTime(self) -> float:
        return self._reactor.later(float(self._call.getTime()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
