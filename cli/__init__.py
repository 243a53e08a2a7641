"""The command line, on top of everything else: click commands, and what they print."""
