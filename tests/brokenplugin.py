"""A plug-in that cannot be imported, for the test of that."""

1 / 0  # noqa: B018 (its failure is the point)
