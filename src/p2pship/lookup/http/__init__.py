"""The lookup on rendezvous servers, that anyone can run: what they and their clients say, and both of them."""
