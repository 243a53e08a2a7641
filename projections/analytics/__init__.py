"""DuckDB analytics: the history as SQL views, and one read-only SELECT at a time over them.

`run_query` answers questions of the command line and the viewer, `describe` lists what can be asked for, and
`analytics.duckdb` in a workspace's results holds the same views for any other DuckDB client.
"""
