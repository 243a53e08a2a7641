"""The samples of a run of HELM: `per_instance_stats.json`, and the texts in `scenario_state.json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..suitekit.foreign import at, number, rows, sample, table

PER_INSTANCE, STATES = "per_instance_stats.json", "scenario_state.json"

Place = tuple[str, object]
"""The id of an instance, and the number of its trial."""


def samples(
    entries: Iterable[Mapping[str, Any]], states: Mapping[Place, Mapping[str, Any]], metric: object, split: object
) -> Iterator[dict[str, Any]]:
    """The instances of a split with a metric, without perturbations. `states` are those of `states_of`."""
    for entry in entries:
        found = [stat for stat in rows(entry.get("stats")) if table(stat.get("name")).get("name") == metric]
        plain = [stat for stat in found if _is_wanted(table(stat["name"]), split)]
        if entry.get("perturbation") or not plain:
            continue
        state = states.get(_place(entry.get("instance_id"), entry.get("train_trial_index")), {})
        yield _row(entry, number(plain[0].get("mean")), state)


def states_of(scenario_state: object) -> dict[Place, dict[str, Any]]:
    """The request of each instance with its answer, in the content of `scenario_state.json`."""
    found: dict[Place, dict[str, Any]] = {}
    for state in rows(table(scenario_state).get("request_states")):
        if not at(state, "instance", "perturbation"):
            found.setdefault(_place(at(state, "instance", "id"), state.get("train_trial_index")), state)
    return found


def _is_wanted(name: dict[str, Any], split: object) -> bool:
    return name.get("split") in (None, split) and not name.get("perturbation") and not name.get("sub_split")


def _place(instance: object, trial: object) -> Place:
    return str(instance), trial or 0


def _row(entry: Mapping[str, Any], score: float | None, state: Mapping[str, Any]) -> dict[str, Any]:
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
