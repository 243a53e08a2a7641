"""Model-written code, judged from outside: the judge runs the tests, and an isolated process runs the code.

`judge` and `candidate` are programs of their own. They import only their siblings, so that neither loads anything else.
"""
