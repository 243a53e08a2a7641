// The samples of a run, for a page without a server.

import { inside, now } from "./inside.js";

/** @typedef {import("./inside.js").State} State */

/** The orders of samples. @type {Record<string, (row: any) => any>} */
const SAMPLE_ORDERS = {
  failed: (row) => ["incorrect", "error", "unscored", "correct"].indexOf(row.outcome),
  id: (row) => row.id,
  score: (row) => row.score,
  "-score": (row) => -row.score,
  "-latency": (row) => -(row.latency_ms ?? 0),
  "-tokens": (row) => -(row.tokens ?? 0),
  "-cost": (row) => -(row.cost_usd ?? 0),
};

/** The rows that the filters keep, in order. @param {any[]} rows @param {URLSearchParams} query */
function kept(rows, query) {
  const words = (query.get("q") ?? "").toLowerCase();
  const some = rows.filter(
    (row) =>
      ["outcome", "category", "error"].every((name) => !query.get(name) || row[name] === query.get(name)) &&
      (!words || [row.id, row.input, row.expected, row.output].join("\n").toLowerCase().includes(words)),
  );
  const of = SAMPLE_ORDERS[query.get("sort") ?? "failed"];
  return of ? [...some].sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : a.line - b.line)) : some;
}

/** As `/api/runs/{run_id}/samples` answers. @param {State} state @param {string} runId @param {URLSearchParams} query */
export function samples(state, runId, query) {
  const held = inside.samples[runId];
  const { run } = state.about[runId];
  const problem = samplesProblem(run, runId);
  if (!held || problem) {
    return {
      samples: [],
      rows: [],
      total: 0,
      right: 0,
      wrong: 0,
      errors: 0,
      unscored: 0,
      unreadable: 0,
      facets: {},
      problem,
      head: state.head,
    };
  }
  const rows = kept(held.list.rows, query);
  const offset = Number(query.get("offset") ?? 0);
  return {
    ...held.list,
    head: state.head,
    rows: rows.slice(offset, offset + Number(query.get("limit") ?? 100)),
    total: rows.length,
  };
}

/** Why the file has not the samples of a run; empty if it has. @param {any} run as of the moment @param {string} runId */
function samplesProblem(run, runId) {
  if (!run.artifacts.some((/** @type {any} */ one) => one.path.endsWith("samples.jsonl"))) return "";
  if (!inside.samples[runId])
    return "this file has no room for the samples of this run; `benchmarks serve-viewer` shows them";
  const after = now.about[runId].run;
  const isSame = ["score", "artifacts", "excluded", "scorer"].every(
    (name) => JSON.stringify(run[name]) === JSON.stringify(after[name]),
  );
  return isSame ? "" : "this file has the samples of this run only as they are now, after a correction";
}

/** As `/api/runs/{run_id}/sample` answers. @param {State} state @param {string} runId @param {URLSearchParams} query */
export function sample(state, runId, query) {
  if (samplesProblem(state.about[runId].run, runId)) return undefined;
  const held = inside.samples[runId];
  const [id, line] = [query.get("id"), Number(query.get("line")) || null];
  const row = held?.list.rows.find((/** @type {any} */ one) => (line ? one.line === line : one.id === id));
  if (!row) return undefined;
  const rows = kept(held.list.rows, query);
  const index = rows.indexOf(row);
  const beside = (/** @type {any} */ one) => one && { id: one.id, line: one.is_repeated ? one.line : null };
  return {
    ...held.one[row.line],
    head: state.head,
    index: index < 0 ? null : index,
    total: rows.length,
    previous: beside(rows[index - 1]) ?? null,
    next: index < 0 ? null : (beside(rows[index + 1]) ?? null),
  };
}
