"""A campaign at work: schedule, supervise and execute runs, and record what each came to."""
