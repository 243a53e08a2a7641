// What is wrong with a row of a table: its figures must follow from the events of its runs. projections/published/
// figures.py checks the same in Python, with the same sentences.

import { countsOf } from "./attempts.js";
import { comparisonKey, costOf, doubtsOf, runOf } from "./runs.js";
import { uncertaintyOf } from "./uncertainty.js";

/** @typedef {Record<string, any>} Row */
/** @typedef {import("./lines.js").Event} Event */
/** @typedef {import("./lines.js").WithheldLine} WithheldLine */
/** @typedef {import("./runs.js").Run} Run */
/** @typedef {import("./runs.js").Seen} Seen */
/** What is wrong with a row, and the parts of it that are stated and could not be checked. @typedef {{ faults: string[], stated: Set<string> }} Weighed */
/**
 * The events that a document shows and withholds, by their streams, and what is wrong with others.
 * @typedef {{ events: Map<string, Event[]>, withheld: Map<string, WithheldLine[]>, broken: Map<string, string>, position: number, include: string[], oneCampaign: boolean }} Evidence
 */

const CLOSE = 1e-9;
/** What the line in which a run began says; later lines may change the revision and the key. */
const BEGUN = ["benchmark_id", "agent", "provider", "model", "config"];
const CONTENDER = [...BEGUN, "revision", "comparison_key"];
const WORK = ["benchmark_id", "agent", "provider", "model"];
const OUTCOME = ["unit", "higher_is_better"];
const NO_ATTEMPT = ["imported", "reproduction", "retracted", "synthetic"];

/** Whether two values of JSON are equal. @param {any} one @param {any} other @returns {boolean} */
export function equal(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  const names = Object.keys(one);
  return (
    Array.isArray(one) === Array.isArray(other) &&
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && equal(one[name], other[name]))
  );
}

/** @param {any} one @param {any} other */
function isClose(one, other) {
  if (typeof one !== "number" || typeof other !== "number") return equal(one, other);
  return Math.abs(one - other) <= CLOSE * Math.max(1, Math.abs(one), Math.abs(other));
}

/** A value in a sentence. @param {any} value @returns {string} */
function shown(value) {
  if (Array.isArray(value)) return value.length ? value.join(", ") : "none";
  if (typeof value === "number") return String(Number(value.toPrecision(12)));
  return value === null || value === undefined ? "unknown" : String(value);
}

/** @param {string} name @param {any} told @param {any} found @param {string} [source] @returns {string[]} */
export const compared = (name, told, found, source = "its runs give") =>
  isClose(told ?? null, found) ? [] : [`${name} is ${shown(told)}, and ${source} ${shown(found)}`];

/** @param {Row} row @param {Row} other @param {Evidence} evidence @returns {Promise<Weighed>} */
export async function weigh(row, other, evidence) {
  const names = Object.keys(row).filter((name) => !equal(row[name], other[name] ?? null));
  const faults = names.length ? [`${names.join(", ")} of the document is not that of the published event`] : [];
  /** @type {Set<string>} */
  const stated = new Set();
  /** @type {Seen[]} */
  const runs = [];
  for (const [at, published] of row.runs.entries()) {
    const seen = await seenRun(published.run_id, row, at, evidence);
    if (typeof seen === "string") return { faults: [...faults, seen], stated };
    faults.push(...(await faultsOfRun(row, published, seen, evidence)));
    runs.push(seen);
  }
  if (!runs.every(({ begins }) => begins)) stated.add("contender");
  if (runs.every(({ ends }) => ends)) faults.push(...figuresOf(row, runs, evidence));
  else stated.add("score");
  faults.push(...(await attemptsOf(row, evidence, stated)));
  return { faults, stated };
}

/** A run as its events say; a sentence if it cannot be known. @param {string} id @param {Row} row @param {number} at @param {Evidence} evidence @returns {Promise<Seen | string>} */
async function seenRun(id, row, at, { events, withheld, broken, position }) {
  const reason = broken.get(id);
  if (reason !== undefined) return `run ${id}: ${reason}`;
  const { benchmark_id, agent, provider, model, config, revision } = row;
  const stated = { benchmark_id, agent, provider, model, config, revision, repetition: String(at + 1) };
  const seen = await runOf(events.get(id) ?? [], withheld.get(id) ?? [], position, stated);
  return seen ?? `the events of run ${id} are missing`;
}

/** @param {Row} row @param {Row} published @param {Seen} seen @param {Evidence} evidence @returns {Promise<string[]>} */
async function faultsOfRun(row, published, { run, begins, ends }, { withheld }) {
  const id = published.run_id;
  const faults = begins ? await differing(id, row, run, ends ? CONTENDER : BEGUN) : [];
  const isEnd = (/** @type {{ seq: number, hash: string }} */ one) =>
    one.seq === published.seq && one.hash === published.hash;
  if (!ends) {
    if (!(withheld.get(id) ?? []).some(isEnd) && !isEnd({ seq: run.ended, hash: run.hash }))
      faults.push(`event ${published.seq} is not the one that ended run ${id}`);
    return faults;
  }
  const told = { ...run, unit: run.unit ?? "", higher_is_better: run.higher_is_better ?? true };
  faults.push(...(await differing(id, row, told, OUTCOME)));
  if (!equal([run.score, run.samples], [published.score, published.samples ?? null]))
    faults.push(`run ${id} has the score ${shown(run.score)} of ${shown(run.samples)} samples by its events`);
  if (!isEnd({ seq: run.ended, hash: run.hash }))
    faults.push(`event ${published.seq} is not the one that ended run ${id}`);
  if (run.status !== "succeeded" || run.score === null) faults.push(`run ${id} has no score that counts`);
  return faults;
}

/** @param {string} id @param {Row} row @param {Run} run @param {string[]} names @returns {Promise<string[]>} */
async function differing(id, row, run, names) {
  const said = { ...run, comparison_key: await comparisonKey(run) };
  return names
    .filter((name) => !equal(/** @type {Run} */ (said)[name], row[name]))
    .map((name) => `run ${id} has another ${name} by its events`);
}

/** @param {Row} row @param {Seen[]} seen @param {Evidence} evidence @returns {string[]} */
function figuresOf(row, seen, { include, oneCampaign }) {
  const runs = seen.map(({ run }) => run);
  if (!runs.length || runs.some((run) => run.score === null)) return ["a run behind it has no score"];
  const isNext = (/** @type {Run} */ run, /** @type {number} */ at) =>
    at === 0 || inOrder(runs[at - 1].repetition, run.repetition);
  if (!runs.every(isNext)) return ["its runs are not those of different repetitions, in their order"];
  const sure = uncertaintyOf(/** @type {any[]} */ (runs), runs[runs.length - 1].unit ?? "");
  // Without the line in which a run began, what only that says is taken from the row.
  const isWhole = seen.every(({ begins }) => begins);
  const registered = isWhole ? runs.filter((run) => run.registration !== null).length : row.registered;
  const doubts = [...new Set([...runs.flatMap(doubtsOf), ...(isWhole ? [] : row.doubts)])].sort();
  const foreign = doubts.filter((kind) => !include.includes(kind));
  const campaigns = new Set(seen.filter(({ begins }) => begins).map(({ run }) => run.campaign));
  return [
    ...(oneCampaign && campaigns.size > 1 ? ["its runs are of several campaigns"] : []),
    ...compared("score", row.score, sure.mean),
    ...compared("stderr", row.stderr, sure.stderr),
    ...compared("low", row.low, sure.low),
    ...compared("high", row.high, sure.high),
    ...compared("interval_method", row.interval_method, sure.method),
    ...compared("samples", row.samples, runs[runs.length - 1].samples),
    ...compared("repeats", row.repeats, runs.length),
    ...compared("registered", row.registered, registered),
    ...compared("cost_usd", row.cost_usd, total(runs.map(costOf))),
    ...compared("seconds", row.seconds, total(runs.map((run) => run.seconds))),
    ...compared("doubts", row.doubts, doubts),
    ...(foreign.length ? [`the rules of the table do not include ${foreign.join(" and ")} runs`] : []),
  ];
}

/** Whether one number of a repetition comes before another. @param {string} one @param {string} other */
const inOrder = (one, other) => one.length < other.length || (one.length === other.length && one < other);

/** @param {(number | null)[]} values */
const total = (values) =>
  values.some((one) => one === null) ? null : values.reduce((sum, one) => (sum ?? 0) + (one ?? 0), 0);

/** @param {Row} row @param {Evidence} evidence @param {Set<string>} stated @returns {Promise<string[]>} */
async function attemptsOf(row, evidence, stated) {
  const faults = [];
  /** @type {Seen[]} */
  const tried = [];
  for (const id of row.attempt_ids) {
    const seen = await seenRun(id, row, 0, evidence);
    if (typeof seen === "string") return [...faults, seen];
    if (seen.begins) faults.push(...(await notAttempted(id, row, seen, evidence.include)));
    tried.push(seen);
  }
  if (new Set(row.attempt_ids).size < tried.length) return [...faults, "it counts an attempt twice"];
  if (!tried.every(({ begins, ends }) => begins && ends)) stated.add("attempts");
  if (!tried.every(({ ends }) => ends)) return faults;
  const counts = countsOf(tried.map(({ run }) => run));
  return [...faults, ...Object.entries(counts).flatMap(([name, found]) => compared(name, row[name], found))];
}

/** @param {string} id @param {Row} row @param {Seen} seen @param {string[]} include @returns {Promise<string[]>} */
async function notAttempted(id, row, { run, ends }, include) {
  const isOther = (await differing(id, row, run, ends ? [...WORK, "comparison_key"] : WORK)).length > 0;
  const isLeftOut = doubtsOf(run).some((kind) => NO_ATTEMPT.includes(kind) && !include.includes(kind));
  return isOther || isLeftOut ? [`run ${id} is not an attempt at this work that counts`] : [];
}
