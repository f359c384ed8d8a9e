"""Keys that came with a name whose key is not known, or is another one: what ``contact pin`` can choose from."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from p2pship.identity.verdict import Verdict

MOST_NAMES = 1_000
"Names of which keys are remembered, until the node ends: anybody can come by any name."

MOST_KEYS = 4
"Keys of one name; the one that came first is forgotten for a fifth."


@dataclass(frozen=True, slots=True)
class Offer:
    """A key that somebody by the name has shown."""

    key: bytes
    "DER SubjectPublicKeyInfo"
    seen: float
    "when it came last, Unix time"
    verdict: Verdict
    "what was thought of it"


class Offers:
    """The latest keys of each name, in memory."""

    def __init__(self) -> None:
        self._offers: OrderedDict[tuple[str, str], dict[bytes, Offer]] = OrderedDict()

    def seen(self, own: str, aor: str, offer: Offer) -> None:
        """Remember a key with which somebody came by the name, for one of our own identities."""
        keys = self._offers.setdefault((own, aor), {})
        self._offers.move_to_end((own, aor))
        keys.pop(offer.key, None)
        keys[offer.key] = offer
        if len(keys) > MOST_KEYS:
            del keys[next(iter(keys))]
        if len(self._offers) > MOST_NAMES:
            self._offers.popitem(last=False)

    def of(self, own: str, aor: str, since: float = 0.0) -> list[Offer]:
        """Return what came since a time, the latest first."""
        keys = self._offers.get((own, aor), {})
        return [offer for offer in reversed(keys.values()) if offer.seen >= since]

    def believed(self, own: str, aor: str, key: bytes) -> None:
        """Forget one key that came by the name, which is pinned now."""
        self._offers.get((own, aor), {}).pop(key, None)

    def forget(self, own: str, aor: str) -> None:
        """Forget what came by the name."""
        self._offers.pop((own, aor), None)
