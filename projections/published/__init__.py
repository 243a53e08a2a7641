"""Published tables: what they show, the page that checks itself, and what became of them since."""
