"""Questions to one node after another in the wide area, wherever a lookup says that it may be (``docs/reference/questions.md``)."""
