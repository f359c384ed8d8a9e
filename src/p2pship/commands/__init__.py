"""What can be asked of a node, by a person or a program."""
