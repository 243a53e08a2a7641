"""What a run needs of this machine: processors and memory, locks, processes, log files."""
