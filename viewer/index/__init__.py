"""The runs as the viewer lists them, in memory: filtered, sorted, counted and searched without the database.

`archive` keeps the `table` at the ledger's head, event by event, and looks back; the table puts rows into any order
(`orders`), finds and counts them by their names (`names`), and knows the record of each task (`records`).
"""
