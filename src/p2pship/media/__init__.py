"""Voice flows: relays between a phone and a peer."""
