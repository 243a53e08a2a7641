"""The beginning of a benchmark of one's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from benchmarks import adapters


def test_tokens_that_one_answer_does_not_tell_are_unknown():
    path = Path(adapters.__file__).parent / "template" / "run.py"
    spec = importlib.util.spec_from_file_location("template_run", path)
    template = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(template)
    usage = {"input_tokens": 0, "output_tokens": 0}
    template.add_usage(usage, {"prompt_tokens": 7, "completion_tokens": 2})
    assert usage == {"input_tokens": 7, "output_tokens": 2}
    template.add_usage(usage, {"prompt_tokens": 7})
    template.add_usage(usage, {"prompt_tokens": 7, "completion_tokens": 2})
    assert usage == {"input_tokens": 21, "output_tokens": None}
