"""Identity-based, peer-to-peer communication: a person's phone, called by name, with no server."""

__version__ = "0.1.0"
