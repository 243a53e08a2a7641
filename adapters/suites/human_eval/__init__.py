"""HumanEval: Python functions to complete, judged by running their tests in a sandbox."""
