"""The p2pship command line."""
