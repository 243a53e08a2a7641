"""Runs a campaign: schedules, supervises and executes runs, and records their outcomes."""
