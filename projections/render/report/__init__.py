"""Reports that a person can send by mail: one HTML file, or Markdown."""
