"""Executors: where the runs of a campaign are performed. Their protocol is `running.executor`."""
