// Parts that several pages show.

import { h } from "./dom.js";
import { ago, direction, moment, score, signed, statusSymbol, unitText } from "./format.js";

export function statusBadge(run) {
  const symbol = h("span", { class: "dot", "aria-hidden": "true" }, statusSymbol(run.status));
  return h("span", { class: `status ${run.status}`, title: run.error ?? "" }, symbol, run.status);
}

/** What a reader must know before he trusts a row. */
export function marks(run) {
  const told = [
    run.stale && ["stale", "No sign of life for five minutes; `benchmarks recover-stale-runs` closes it"],
    run.synthetic && ["synthetic", "A mock, oracle or sample run: never a record"],
    run.imported && ["imported", "Taken over from another place"],
    run.retracted && ["retracted", `Taken back by ${run.retracted.author}: ${run.retracted.reason}`],
    run.recovered && ["recovered", "Its orchestrator was lost while it ran"],
    run.late && ["late report", "Its owner reported after the run had been recovered"],
    run.status === "failed" && !run.recovered && run.reason && [run.reason, run.error ?? ""],
  ];
  return told.filter(Boolean).map(([text, why]) => h("span", { class: "mark", title: why }, text));
}

export function delta(run) {
  const value = run.delta_to_high_score;
  return h("span", { class: `delta ${direction(value, run.higher_is_better)}` }, signed(value));
}

/** A score with its unit; `""` where there is none. */
export function scored(value, stderr, unit) {
  const text = score(value, stderr);
  const behind = text && unitText(unit);
  return behind ? [text, " ", h("span", { class: "unit" }, behind)] : text;
}

export function scoreOf(run) {
  if (run.status === "running" && run.progress) {
    const { done, total } = run.progress;
    return h(
      "span",
      { class: "soft", title: run.progress.note ?? "" },
      total ? h("progress", { value: done, max: total, "aria-label": "progress" }) : "",
      ` ${done}${total ? ` of ${total}` : ""}`,
    );
  }
  return scored(run.score, run.stderr, run.unit);
}

export const when = (iso) => h("time", { datetime: iso, title: moment(iso) }, ago(iso));

export const runLink = (runId) => `#/runs/${encodeURIComponent(runId)}`;
