"""Jobs: a task with the values of its options, from start to files. What the command line and the studio share."""
