"""The lookup by multicast on the local network: no server, no configuration (``docs/reference/lan-lookup.md``)."""
