"""The rendezvous server."""
