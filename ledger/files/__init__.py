"""Files of runs away from the machine that made them: where they are kept, and how they are read from there."""
