"""The runs in memory, as the viewer lists them: filtered, sorted, counted and searched without the database.

`archive` keeps the `run_table` at the ledger's head, event by event, and looks back. The table sorts its rows
(`orders`), finds and counts them by their names (`names`), knows the record of each task (`records`) and the score of
each contender (`scoreboard`, `groups`). `snapshot` keeps all of it in a file; `proof` proves the ledger's chain.
"""
