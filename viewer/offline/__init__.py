"""The viewer as one HTML file: the same page with its data inside. It needs no server."""
