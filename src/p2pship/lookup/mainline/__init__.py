"""The lookup through the BitTorrent Mainline DHT: millions of nodes, none of them ours (``docs/reference/mainline-lookup.md``)."""
