"""How fast a detector is in each format, each measured in a process of its own."""
