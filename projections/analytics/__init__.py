"""DuckDB analytics: the history as SQL views, and one read-only SELECT at a time over them.

`run_query` is for whoever asks (the command line, the viewer), `describe` says what there is to ask for, and
`analytics.duckdb` in a workspace's results holds the same views for any other DuckDB client.
"""
