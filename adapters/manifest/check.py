"""What types cannot say about a manifest: that its parts fit together, and that its texts can be read.

Each function yields faults as (key, reason).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from ..options import Option, OptionError, coerce
from .expressions import expression_faults
from .placeholders import EACH_VALUE, has_value, text_faults
from .schema import ANY_AGENT, Baseline, Check, Manifest, Requires, Resources, ResultSpec, RunSpec, parse_size

Faults = Iterator[tuple[str, str]]

_RESERVED_OPTIONS = {"per_benchmark", "repeat"}


def faults(manifest: Manifest) -> Faults:
    """Everything that is wrong with a manifest whose types are right."""
    if ANY_AGENT not in manifest.agents and manifest.default_agent not in manifest.agents:
        yield "default_agent", f"'{manifest.default_agent}' is not one of agents ({', '.join(manifest.agents)})"
    yield from _run_faults(manifest.run)
    yield from _resource_faults(manifest.resources)
    for name, option in manifest.options.items():
        yield from _option_faults(name, option, manifest.options)
    for name, baseline in manifest.baselines.items():
        yield from _baseline_faults(name, baseline, manifest.options)
        if name in manifest.agents:
            yield f"baselines.{name}", "is also in agents, so all its runs would count as synthetic"
    yield from _requirement_faults(manifest.requires, manifest)
    yield from _result_faults(manifest.result)
    yield from _pattern_faults("run.files", manifest.run.files or [], "the benchmark's directory")
    yield from _pattern_faults("data.files", manifest.data.files, "the benchmark's directory")
    yield from high_score_faults(manifest)


def _run_faults(run: RunSpec) -> Faults:
    texts = [("run.argv", text) for text in run.argv]
    texts += [(f"run.agent_argv.{agent}", text) for agent, arguments in run.agent_argv.items() for text in arguments]
    texts += [("run.cwd", run.cwd), *((f"run.env.{name}", text) for name, text in run.env.items())]
    yield from _texts_faults(texts)
    for pattern in run.transient_errors:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as problem:
            yield "run.transient_errors", f"'{pattern}' is not a regular expression: {problem}"


def _resource_faults(resources: Resources) -> Faults:
    for key, size in (("memory", resources.memory), ("disk", resources.disk)):
        try:
            parse_size(size)
        except ValueError as problem:
            yield f"resources.{key}", str(problem)


def _option_faults(name: str, option: Option, options: Collection[str]) -> Faults:
    key = f"options.{name}"
    if name in _RESERVED_OPTIONS:
        yield key, "this name has a meaning of its own in --extra; choose another"
    yield from _passing_faults(key, option)
    yield from _value_faults(key, option)
    yield from _secret_faults(name, option)
    if option.required and option.default is not None:
        yield f"{key}.required", "it has a default, so it is never missing"
    yield from _unknown_options(f"{key}.untold", option.untold, options)


def _passing_faults(key: str, option: Option) -> Faults:
    """Faults of how the benchmark gets the option's value."""
    if (option.argv is None) == (option.env is None):
        yield key, "needs either argv or env: how the benchmark gets its value"
    argv = option.argv or []
    passed_each = [text for text in argv if EACH_VALUE in text and option.type == "list"]
    for text in argv:
        if text not in passed_each:
            yield from ((f"{key}.argv", reason) for reason in text_faults(text, in_option=True))
    if option.argv is not None and option.type != "bool" and not passed_each and not any(map(has_value, argv)):
        yield f"{key}.argv", "does not pass the value: one of its texts must contain {value}"


def _value_faults(key: str, option: Option) -> Faults:
    parts = {
        "default": [option.default],
        "choices": option.choices or [],
        "synthetic": option.synthetic,
        "without_model": option.without_model or [],
    }
    for part, values in parts.items():
        for value in values:
            try:
                coerce(option, value)
            except OptionError as problem:
                yield f"{key}.{part}", str(problem)


def _secret_faults(name: str, option: Option) -> Faults:
    if not option.secret_as(name):
        return
    if option.required:
        yield f"options.{name}.required", "a secret cannot be required: name its variable in requires.env"
    if option.default is not None:
        yield f"options.{name}.default", "a secret has no default: it would be in every manifest and signature"


def _baseline_faults(name: str, baseline: Baseline, options: Collection[str]) -> Faults:
    key = f"baselines.{name}"
    yield from _unknown_options(f"{key}.untold", baseline.untold, options)
    if not baseline.argv and not baseline.env and baseline.score is None:
        yield key, "has none of argv, env and score, so it would play like any other agent"
    if baseline.score is not None:
        yield from ((f"{key}.score", reason) for reason in expression_faults(baseline.score))
    texts = [(f"{key}.argv", text) for text in baseline.argv]
    yield from _texts_faults([*texts, *((f"{key}.env.{name}", text) for name, text in baseline.env.items())])


def _requirement_faults(requires: Requires, manifest: Manifest) -> Faults:
    if requires.python_version is not None and not requires.python:
        yield "requires.python_version", "the benchmark has no environment: requires.python names no package"
    for check in requires.checks:
        yield from (("requires.checks", f"'{check.name}': {reason}") for reason in _check_faults(check, manifest))


def _check_faults(check: Check, manifest: Manifest) -> Iterator[str]:
    for name, value in check.waivers:
        option = manifest.options.get(name)
        if option is None:
            yield f"unless = '{name}': this option does not exist"
        elif value is None and option.type != "bool" and option.default is not None:
            yield f"unless = '{name}': it always has a value; write '{name}=VALUE'"
    if not (check.env or check.commands or check.paths or check.argv or check.host or check.waivers):
        yield "it can never be met: it has none of env, commands, paths, argv, host and unless"
    if "\0" in "".join([*check.commands, *check.paths, *check.argv]):
        yield "it contains a NUL character, which neither a command nor a path can have"


def _result_faults(result: ResultSpec) -> Faults:
    for key, expression in result.expressions():
        yield from ((key, reason) for reason in expression_faults(expression))
    yield from _pattern_faults("result.files", result.files, "the output folder")


def _pattern_faults(key: str, patterns: list[str], folder: str) -> Faults:
    for pattern in patterns:
        if pattern.startswith("/") or ".." in pattern.split("/") or not pattern:
            yield key, f"'{pattern}' must stay below {folder}"
            continue
        try:
            any(Path(os.devnull).glob(pattern))
        except (ValueError, IndexError, NotImplementedError) as problem:
            yield key, f"'{pattern}' is not a pattern of file names: {problem}"


def high_score_faults(manifest: Manifest) -> Faults:
    """What is wrong with a manifest's reference score, such as that it is in another unit."""
    reference = manifest.high_score
    if reference is None:
        return
    unit = manifest.result.unit
    if not math.isfinite(reference.value):
        yield "high_score.value", "is not a finite number"
    if reference.unit is not None and reference.unit != unit:
        yield "high_score.unit", f"'{reference.unit}' is not the unit of the score, '{unit}'"
    if unit == "ratio" and not 0 <= reference.value <= 1:
        yield "high_score.value", f"{reference.value:g} is not a ratio between 0 and 1, which is the unit of the score"


def _texts_faults(texts: list[tuple[str, str]]) -> Faults:
    for key, text in texts:
        yield from ((key, reason) for reason in text_faults(text))


def _unknown_options(key: str, names: list[str], options: Collection[str]) -> Faults:
    yield from ((key, f"option '{name}' does not exist") for name in names if name not in options)
