"""Who is to be found, and whom we look for, because of a code that somebody shows just now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class Rendezvous:
    """Where people meet by a code: at the open place, whatever their mode, for as long as the code is good.

    A new device, or a contact who has lost the pair secret, can look nowhere else. A place made of the code would not do: who
    sees it could try all codes on it.
    """

    def __init__(self) -> None:
        self._shown: set[tuple[str, str]] = set()
        self._sought: Counter[tuple[str, str]] = Counter()
        self._watchers: list[Callable[[], object]] = []

    def watch(self, changed: Callable[[], object]) -> None:
        """Call ``changed`` when somebody is to be found, or not any longer."""
        self._watchers.append(changed)

    def show(self, own: str, aor: str = "") -> None:
        """Let our identity ``own`` be found, as it shows a code to ``aor``; empty: to a new device."""
        self._shown.add((own, aor))
        self._changed()

    def hide(self, own: str, aor: str = "") -> None:
        """Let it be found no longer, unless it shows another code."""
        self._shown.discard((own, aor))
        self._changed()

    def seek(self, own: str, aor: str) -> None:
        """Let our identity look for ``aor``, whose code it has, where everybody looks."""
        self._sought[own, aor] += 1

    def leave(self, own: str, aor: str) -> None:
        """Let it do so no longer, unless it began to for another reason as well."""
        self._sought[own, aor] -= 1
        self._sought += Counter()  # drops what is zero

    def shows(self, own: str) -> bool:
        """Tell whether an own identity shows a code."""
        return any(each[0] == own for each in self._shown)

    def seeks(self, own: str, aor: str) -> bool:
        """Tell whether an own identity looks for somebody whose code it has."""
        return self._sought[own, aor] > 0

    def _changed(self) -> None:
        for changed in self._watchers:
            changed()
