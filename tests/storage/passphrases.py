"""A passphrase at once, where a command would make its key in a thread."""

from __future__ import annotations

from p2pship.storage.vault import Vault


def lock(vault: Vault, passphrase: bytes) -> None:
    """Put the keys under a passphrase; raises as :meth:`Vault.new_key` and :meth:`Vault.set_key`."""
    vault.set_key(vault.new_key(passphrase))
