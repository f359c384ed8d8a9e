"""A real call between two phones through two nodes, to be watched: ``python -m demo``."""
