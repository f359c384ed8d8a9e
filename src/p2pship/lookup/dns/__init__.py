"""The lookup ``dns``: the domain of a name says where to ask for its people (``docs/reference/dns-lookup.md``)."""
