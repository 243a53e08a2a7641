"""The samples of a run of HELM: `per_instance_stats.json`, and the texts in `scenario_state.json`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .found import Document, ForeignRun, at, number, rows, table
from .instances import Remark, Row, UnreadableSamples, object_in, objects_of, read_file, sample

PER_INSTANCE, STATES = "per_instance_stats.json", "scenario_state.json"

_Place = tuple[str, object]
"""The id of an instance, and the number of its trial."""


def read(folder: Path, run: ForeignRun) -> Iterator[Row | Remark]:
    """The instances of the run's split, without perturbations. Raises UnreadableSamples."""
    stats = folder / PER_INSTANCE
    if not stats.exists() and not stats.is_symlink():
        return
    content = read_file(stats)
    states: dict[_Place, Document] = {}
    try:
        states = _states(folder / STATES)
    except UnreadableSamples as problem:
        yield Remark(f"questions and answers are left out: {problem}")
    metric, split = run.sought.get("metric"), run.sought.get("split")
    for entry in objects_of(content, PER_INSTANCE):
        found = [stat for stat in rows(entry.get("stats")) if table(stat.get("name")).get("name") == metric]
        plain = [stat for stat in found if _is_wanted(table(stat["name"]), split)]
        if entry.get("perturbation") or not plain:
            continue
        state = states.get(_place(entry.get("instance_id"), entry.get("train_trial_index")), {})
        yield _row(entry, number(plain[0].get("mean")), state)


def _is_wanted(name: Document, split: object) -> bool:
    return name.get("split") in (None, split) and not name.get("perturbation") and not name.get("sub_split")


def _place(instance: object, trial: object) -> _Place:
    return str(instance), trial or 0


def _states(path: Path) -> dict[_Place, Document]:
    """The request of each instance with its answer; empty without the file."""
    if not path.exists() and not path.is_symlink():
        return {}
    found: dict[_Place, Document] = {}
    for state in rows(object_in(read_file(path), path.name).get("request_states")):
        if not at(state, "instance", "perturbation"):
            found.setdefault(_place(at(state, "instance", "id"), state.get("train_trial_index")), state)
    return found


def _row(entry: Document, score: float | None, state: Document) -> Row:
    instance, result = table(state.get("instance")), table(state.get("result"))
    references = [
        at(reference, "output", "text") or reference.get("output")
        for reference in rows(instance.get("references"))
        if "correct" in (reference.get("tags") or ())
    ]
    completions = rows(result.get("completions"))
    output = completions[0].get("text") if completions else None
    asked = instance.get("input")
    prompt = at(state, "request", "prompt")
    answered = [{"role": "assistant", "content": output}] if isinstance(output, str) else []
    return sample(
        entry.get("instance_id"),
        input=asked if isinstance(asked, str) else table(asked).get("text"),
        expected=references[0] if len(references) == 1 else references,
        output=output,
        score=score,
        error=result.get("error") if result.get("success") is False else None,
        messages=[{"role": "user", "content": prompt}, *answered] if isinstance(prompt, str) and prompt else (),
        trial=entry.get("train_trial_index") or None,
    )
