// Parts that several pages show.

import { planLink, runLink } from "./address.js";
import { h } from "./dom.js";
import { direction, estimate, score, signed, unitText } from "./format.js";
import { ledger } from "./ledger.js";

export { runLink };

/** @typedef {Record<string, any>} Run a row of /api/runs */

/** Names of reasons in words. @type {Record<string, string>} */
const REASONS = {
  no_result: "no result",
  bad_result: "bad result",
  no_score: "no score",
  no_samples: "no samples",
  invalid_result: "invalid result",
  orchestrator_lost: "orchestrator lost",
  signal: "killed",
};

/** Why a run failed, in words: exit code 2, no score, killed (signal 9). @param {Run} run */
export function reasonText({ reason, return_code: code }) {
  if (!reason) return "";
  if (reason === "exit_code") return typeof code === "number" ? `exit code ${code}` : "exit code";
  return REASONS[reason] ?? reason.replaceAll("_", " ");
}

/** @type {Record<string, string>} */
const DOTS = { succeeded: "good", failed: "bad", running: "live" };

/** A dot in the colour of a status. @param {string} status */
export const dot = (status) => h("span", { class: `dot ${DOTS[status] ?? ""}`.trim() });

/** The status as a dot: words only for what is not the usual case, or if `all` are wanted. @param {Run} run */
export function statusDot(run, { all = false } = {}) {
  const usual = !all && (run.status === "succeeded" || (run.status === "failed" && run.reason));
  return h(
    "span",
    { class: `state ${run.status}` },
    dot(run.status),
    h("span", { class: usual ? "visually-hidden" : "" }, run.status),
  );
}

const STALE = "No heartbeat for a long time; `benchmarks recover-stale-runs` closes it";

/** What a reader must know to trust a row. @param {Run} run */
export function marks(run) {
  /** @type {any[]} */
  const found = [
    isStale(run) && ["stale", STALE, "stale"],
    run.is_record &&
      run.previous_best !== null &&
      run.previous_best !== undefined && ["record", "Better than every earlier run of this task", "record"],
    run.synthetic && ["synthetic", "A mock, oracle or sample run: never a record"],
    run.registration && [
      "registered",
      `It belongs to the plan ${run.registration}, registered before it`,
      "",
      planLink(run.registration),
    ],
    run.reproduces && ["reproduction", `It repeats ${run.reproduces} as a check: its score counts nowhere`],
    run.imported && ["imported", "Imported from another program"],
    run.retracted && ["retracted", `Retracted by ${run.retracted.author}: ${run.retracted.reason}`],
    run.recovered && ["recovered", "Its orchestrator ended while it ran"],
    run.late && ["late report", "The result came after the run had been recovered"],
    run.status === "failed" && !run.recovered && run.reason && [reasonText(run), run.error ?? ""],
  ];
  return found
    .filter(Boolean)
    .map(([text, why, kind = "", href = null]) =>
      h(href ? "a" : "span", { class: `mark ${kind}`.trim(), title: why, href }, text),
    );
}

export const isStale = (/** @type {Run} */ run) =>
  run.status === "running" && (run.stale || ledger.stale.has(run.run_id));

/** A difference in the colour of better or worse; the title says it too. */
export function difference(/** @type {number | null | undefined} */ value, higherIsBetter = true) {
  if (value === null || value === undefined) return "";
  const meant = direction(value, higherIsBetter);
  return h("span", { class: `delta ${meant}`.trim(), title: meant }, signed(value));
}

/** A score with its unit; `""` if there is none. */
export function scored(
  /** @type {number | null | undefined} */ value,
  /** @type {number | null | undefined} */ stderr,
  /** @type {string | null} */ unit,
) {
  const text = score(value, stderr);
  const after = text && unitText(unit);
  return after ? [text, " ", h("span", { class: "unit" }, after)] : text;
}

/** The score of a run as the tables of the command line have it: ± its error, or its interval if ± would mislead. */
function estimated(/** @type {Run} */ run) {
  const text = estimate(run.score, run.standard_error ?? run.stderr, run.low ?? null, run.high ?? null);
  const after = text && unitText(run.unit);
  return after ? [text, " ", h("span", { class: "unit" }, after)] : text;
}

/** The progress of a running run. @param {Run} run */
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

export const scoreOf = (/** @type {Run} */ run) => (run.status === "running" ? progressOf(run) : estimated(run));

/** How long ago, with the absolute time on hover. */
export const when = (/** @type {string | null} */ iso) => (iso ? h("time-ago", { datetime: iso }) : "");

/** How long ago it began. */
export const elapsed = (/** @type {string} */ iso) => h("time-elapsed", { datetime: iso });

export const panel = (
  /** @type {any} */ title,
  /** @type {any} */ inside,
  /** @type {any} */ extra = "",
  /** @type {Record<string, any>} */ more = {},
) => h("section", { class: "panel", ...more }, h("h2", {}, title, extra), h("div", { class: "inside" }, inside));

/** A list of names and values, without those that have no value. @param {[string, any][]} rows */
export function facts(rows) {
  const known = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h(
    "dl",
    { class: "facts" },
    known.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}
