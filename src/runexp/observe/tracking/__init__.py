"""Who else receives the numbers of a run: trackers, each in a thread of its own that cannot hold up the run."""
