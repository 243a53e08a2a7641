"""Action calling: choose the right tool for a request, with the right arguments, or none."""
