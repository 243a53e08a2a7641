"""`python -m suites.bfcl_eval`: has BFCL ask and judge one category.

BFCL knows models by a registry of its own, and labels results with the name there. The model that is really asked is
entered into it first, so that no result stands under another one's name.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..suitekit.command import SuiteError, main, parser
from ..suitekit.harness import only_file, served_model, write_result
from .results import read_lines, summarize


def run() -> None:
    """Ask, judge, and read what was left."""
    arguments = parser("bfcl_eval", __doc__ or "")
    arguments.add_argument("--category", default="simple_python")
    arguments.add_argument("--max-samples", type=int, default=20)
    arguments.add_argument("--tool-calls", choices=["prompted", "native"], default="prompted")
    arguments.add_argument("--num-threads", type=int, default=1)
    given = arguments.parse_args()
    output = given.output_dir.absolute()
    # The package reads this while it is imported, and writes beside its own files if it is not set.
    os.environ["BFCL_PROJECT_ROOT"] = str(output)
    _register(given.model, is_native=given.tool_calls == "native")
    cases = _cases(given.category)[: given.max_samples]
    (output / "test_case_ids_to_generate.json").write_text(json.dumps({given.category: cases}), encoding="utf-8")
    reported = served_model(given.model)
    _command("generate", "--model", given.model, "--run-ids", "--num-threads", str(given.num_threads))
    # Judging asks no model, and evaluates what some models wrote; a client is made anyway.
    os.environ["OPENAI_API_KEY"] = "none"
    answers = only_file(output / "result", f"**/*_{given.category}_result.json", "BFCL")
    _command("evaluate", "--model", given.model, "--test-category", given.category, "--partial-eval")
    scores = only_file(output / "score", f"**/*_{given.category}_score.json", "BFCL")
    summary = summarize(read_lines(scores), read_lines(answers))
    write_result(output, {**summary, "category": given.category, "reported_model": reported})


def _register(model: str, *, is_native: bool) -> None:
    from bfcl_eval.constants.model_config import MODEL_CONFIG_MAPPING, ModelConfig
    from bfcl_eval.model_handler.api_inference.openai_completion import OpenAICompletionsHandler

    MODEL_CONFIG_MAPPING[model] = ModelConfig(
        model_name=model,
        display_name=model,
        url="",
        org="",
        license="",
        model_handler=OpenAICompletionsHandler,
        input_price=None,
        output_price=None,
        is_fc_model=is_native,
        underscore_to_dot=is_native,
    )


def _cases(category: str) -> list[str]:
    """The ids of a category's cases, in their order. Raises SuiteError for a category that there is not."""
    from bfcl_eval.constants.category_mapping import VERSION_PREFIX
    from bfcl_eval.constants.eval_config import PROMPT_PATH

    file = Path(PROMPT_PATH) / f"{VERSION_PREFIX}_{category}.json"
    if not file.is_file():
        there = sorted(
            path.stem.removeprefix(f"{VERSION_PREFIX}_") for path in file.parent.glob(f"{VERSION_PREFIX}_*.json")
        )
        raise SuiteError(f"BFCL has no category {category}; known: {', '.join(there)}")
    return [str(row["id"]) for row in read_lines(file)]


def _command(*arguments: str) -> None:
    """A command of BFCL, in this process: another one would not know the model."""
    from bfcl_eval.__main__ import cli

    cli(list(arguments), standalone_mode=False)


if __name__ == "__main__":
    main(run)
