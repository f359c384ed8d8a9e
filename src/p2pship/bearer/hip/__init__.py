"""The Host Identity Protocol, version 2, in userspace (RFC 7401, RFC 7402, RFC 8046, RFC 8047, RFC 9028)."""
