"""What devices of one person, and people who know each other, tell each other."""
