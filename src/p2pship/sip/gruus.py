"""The GRUUs of our phones (RFC 5627): each names the device on which its owner is reached, and the binding there."""

from __future__ import annotations

from p2pship.interfaces import IKeyring
from p2pship.sip.bindings import Binding
from p2pship.sip.rewrite import gruu

_NOWHERE = bytes(16)
"In the place of the HIT of who is no longer ours."


class GRUUs:
    """Makes them."""

    def __init__(self, keyring: IKeyring) -> None:
        self._keyring = keyring

    def of(self, binding: Binding) -> str:
        """Return the GRUU of a phone."""
        return gruu(binding.aor, self.token(binding))

    def token(self, binding: Binding) -> str:
        """Return its ``gr`` parameter."""
        identity = self._keyring.identity(binding.aor)
        hit = _NOWHERE if identity is None else identity.device.hit
        return f"{hit.hex()}.{binding.token}"
