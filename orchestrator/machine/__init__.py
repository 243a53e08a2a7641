"""Resources of this machine: processors, memory, locks, processes and log files."""
