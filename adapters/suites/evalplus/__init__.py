"""EvalPlus: HumanEval+ and MBPP+, with each answer in a sandbox."""
