"""The lookup on rendezvous servers."""
