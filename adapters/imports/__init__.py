"""Results of runs that were made elsewhere: a reader for each format, each from a file to the runs in it."""
