// Parts that several pages show.

import { h } from "./dom.js";
import { direction, moment, ago, score, signed, statusSymbol } from "./format.js";

export function statusBadge(run) {
  const symbol = h("span", { class: "dot", "aria-hidden": "true" }, statusSymbol(run.status));
  return h("span", { class: `status ${run.status}`, title: run.error ?? "" }, symbol, run.status);
}

/** What a reader must know before he trusts a row. */
export function marks(run) {
  const told = [
    run.synthetic && "synthetic",
    run.imported && "imported",
    run.retracted && "retracted",
    run.recovered && "recovered",
    run.late && "late report",
    run.status === "failed" && !run.recovered && run.reason,
  ];
  return told.filter(Boolean).map((text) => h("span", { class: "mark" }, text));
}

export function delta(run) {
  const value = run.delta_to_high_score;
  return h("span", { class: `delta ${direction(value, run.higher_is_better)}` }, signed(value));
}

export function scoreOf(run) {
  if (run.status === "running" && run.progress) {
    const { done, total } = run.progress;
    return h(
      "span",
      { class: "soft" },
      total ? h("progress", { value: done, max: total, "aria-label": "progress" }) : "",
      ` ${done}${total ? ` of ${total}` : ""}`,
    );
  }
  return score(run.score, run.stderr);
}

export const when = (iso) => h("time", { datetime: iso, title: moment(iso) }, ago(iso));

export const runLink = (runId) => `#/runs/${encodeURIComponent(runId)}`;
