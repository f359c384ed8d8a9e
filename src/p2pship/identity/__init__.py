"""Who am I, whom do I know: names, keys, certificates, statements, records."""
