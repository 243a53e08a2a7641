// Parts that several pages show.

import { runLink } from "./address.js";
import { h } from "./dom.js";
import { direction, score, signed, statusSymbol, unitText } from "./format.js";
import { ledger } from "./ledger.js";

export { runLink };

/** @typedef {Record<string, any>} Run a row of /api/runs */

export function statusBadge(/** @type {Run} */ run) {
  const symbol = h("span", { class: "dot", "aria-hidden": "true" }, statusSymbol(run.status));
  return h("span", { class: `status ${run.status}`, title: run.error ?? "" }, symbol, run.status);
}

const LONG_SILENT = "No sign of life for a long time; `benchmarks recover-stale-runs` closes it";

/** What a reader must know before he trusts a row. @param {Run} run */
export function marks(run) {
  /** @type {any[]} */
  const told = [
    isStale(run) && ["stale", LONG_SILENT, "stale"],
    run.is_record &&
      run.previous_best !== null &&
      run.previous_best !== undefined && ["record", "Better than every own run of this task before it", "record"],
    run.synthetic && ["synthetic", "A mock, oracle or sample run: never a record"],
    run.imported && ["imported", "Taken over from another place"],
    run.retracted && ["retracted", `Taken back by ${run.retracted.author}: ${run.retracted.reason}`],
    run.recovered && ["recovered", "Its orchestrator was lost while it ran"],
    run.late && ["late report", "Its owner reported after the run had been recovered"],
    run.status === "failed" && !run.recovered && run.reason && [run.reason, run.error ?? ""],
  ];
  return told
    .filter(Boolean)
    .map(([text, why, kind = ""]) => h("span", { class: `mark ${kind}`.trim(), title: why }, text));
}

export const isStale = (/** @type {Run} */ run) =>
  run.status === "running" && (run.stale || ledger.stale.has(run.run_id));

/** A difference, coloured by whether it is good news; the words say it too. */
export function difference(/** @type {number | null | undefined} */ value, higherIsBetter = true) {
  if (value === null || value === undefined) return "";
  const meant = direction(value, higherIsBetter);
  return h("span", { class: `delta ${meant}`.trim(), title: meant }, signed(value));
}

export const delta = (/** @type {Run} */ run) => difference(run.delta_to_high_score, run.higher_is_better);

/** A score with its unit; `""` where there is none. */
export function scored(
  /** @type {number | null | undefined} */ value,
  /** @type {number | null | undefined} */ stderr,
  /** @type {string | null} */ unit,
) {
  const text = score(value, stderr);
  const behind = text && unitText(unit);
  return behind ? [text, " ", h("span", { class: "unit" }, behind)] : text;
}

/** How far a run is that is under way. @param {Run} run */
export function progressOf(run) {
  if (!run.progress) return "";
  const { done, total } = run.progress;
  return h(
    "span",
    { class: "progress soft", title: run.progress.note ?? "" },
    total ? h("progress", { value: Math.min(done, total), max: total, "aria-label": "progress" }) : "",
    ` ${done}${total ? ` of ${total}` : ""}`,
  );
}

export const scoreOf = (/** @type {Run} */ run) =>
  run.status === "running" ? progressOf(run) : scored(run.score, run.stderr, run.unit);

/** How long ago, with the absolute time on hover. */
export const when = (/** @type {string | null} */ iso) => (iso ? h("time-ago", { datetime: iso }) : "");

/** How long it has been going on. */
export const elapsed = (/** @type {string} */ iso) => h("time-elapsed", { datetime: iso });

export const panel = (
  /** @type {any} */ title,
  /** @type {any} */ inside,
  /** @type {any} */ extra = "",
  /** @type {Record<string, any>} */ more = {},
) => h("section", { class: "panel", ...more }, h("h2", {}, title, extra), h("div", { class: "inside" }, inside));

/** A list of names and values; what has no value is left out. @param {[string, any][]} rows */
export function facts(rows) {
  const there = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h(
    "dl",
    { class: "facts" },
    there.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}
