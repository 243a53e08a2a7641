// What the events of a run say of it: the rules of ledger/fold.py, as far as figures of a table depend on them.

import { hashOf } from "./bytes.js";

/** @typedef {import("./lines.js").Event} Event */
/** @typedef {import("./lines.js").WithheldLine} WithheldLine */
/** @typedef {Record<string, any>} Run */
/** A run; whether the lines with which it began, and with which it ended and was corrected, are all here. @typedef {{ run: Run, begins: boolean, ends: boolean }} Seen */

const TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?$/;
const BEGINNINGS = ["started", "imported"];
const UNKNOWN = "unknown";

/** A finite number, or null. @param {unknown} value */
const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

/**
 * A run as its events say, up to a position of the ledger; null without an event of it. If the line with which it began
 * is withheld, `stated` is what the table says of it.
 * @param {Event[]} events @param {WithheldLine[]} withheld @param {number} position @param {Run} stated
 * @returns {Promise<Seen | null>}
 */
export async function runOf(events, withheld, position, stated) {
  const hidden = withheld.filter((one) => one.seq <= position);
  const isFirst = (/** @type {{ seq: number }} */ one) => [...hidden, ...events].every(({ seq }) => one.seq <= seq);
  const first = hidden.find((one) => BEGINNINGS.includes(one.type) && isFirst(one));
  /** @type {Run | null} */
  let run = first ? blank(stated, first.seq, first.hash) : null;
  for (const event of events) {
    if (event.seq > position) break;
    run = await next(run, event);
  }
  if (!run) return null;
  // The type of a withheld line is stated, too: only the first line of a run is taken for its beginning.
  const ends = hidden.every((one) => one === first && one.type === "started");
  return { run, begins: !first, ends };
}

/** @param {Run} stated @param {number} seq @param {string} hash @returns {Run} */
function blank(stated, seq, hash) {
  return {
    ...{ benchmark_id: "", agent: "", provider: "", model: "", config: {}, options_key: "", revision: UNKNOWN },
    ...{
      scorer: null,
      commitment: "",
      registration: null,
      imported: false,
      synthetic: false,
      late: false,
      reproduction: false,
    },
    ...{ retracted: false, recovered: false, status: "running", score: null, unit: null, higher_is_better: null },
    ...{
      samples: null,
      stderr: null,
      usage: {},
      seconds: null,
      reason: null,
      error: null,
      repetition: "1",
      campaign: "",
    },
    ...stated,
    ended: seq,
    hash,
  };
}

/** The run after an event; an event that makes no sense changes nothing. @param {Run | null} run @param {Event} event @returns {Promise<Run | null>} */
async function next(run, event) {
  const { seq, type, at, data, hash } = event;
  if (!TIME.test(at)) return run;
  if (!run) return begun(event);
  const isRunning = run.status === "running";
  switch (type) {
    case "finished":
    case "failed":
      if (!TIME.test(data.ended_at)) return run;
      if (!isRunning) return data.late && run.recovered ? { ...run, late: true } : run;
      if (data.late || (run.commitment && !(await isFromOwner(run.commitment, data.revealed ?? "")))) return run;
      return ended(run, data, type === "finished" ? "succeeded" : "failed", seq, hash);
    case "recovered":
      if (!isRunning || (data.ended_at && !TIME.test(data.ended_at))) return run;
      if (!data.adopted) return lost(run, data, seq, hash);
      if (!TIME.test(data.adopted.ended_at)) return run;
      if (run.commitment && !(await isFromShell(run.commitment, data.adopted.revealed ?? ""))) return run;
      return { ...ended(run, data.adopted, "succeeded", seq, hash), recovered: true };
    case "retracted":
      return { ...run, retracted: true };
    case "reinstated":
      return { ...run, retracted: false };
    case "samples_excluded":
    case "samples_included":
      return hasScore(run) ? corrected(run, data.anew) : run;
    case "rescored":
      return hasScore(run) ? rescored(run, data) : run;
    default:
      return run;
  }
}

/** The run that a first event begins; null if it begins none. @param {Event} event @returns {Run | null} */
function begun({ seq, type, stream, data, hash }) {
  const from = type === "imported" ? data.run : type === "started" ? data : null;
  if (!from) return null;
  const { repeat, ...config } = from.extra_config ?? {};
  const run = blank(
    {
      benchmark_id: from.benchmark_id,
      agent: from.agent ?? "",
      provider: from.provider ?? "",
      model: from.model ?? "",
      config,
      options_key: from.comparison_key ?? "",
      revision: from.task_revision?.digest ?? UNKNOWN,
      registration: type === "imported" ? null : (from.registration ?? null),
      synthetic: from.synthetic ?? false,
      commitment: type === "imported" ? "" : (from.owner?.commitment ?? ""),
      imported: type === "imported",
      reproduction: (from.reproduces ?? null) !== null,
      repetition: String(repeat ?? 1),
      campaign: from.run_group_id || stream,
    },
    seq,
    hash,
  );
  if (type === "started") return run;
  const isPossible = [from.started_at, from.ended_at].every((one) => typeof one !== "string" || TIME.test(one));
  if (!isPossible || !["succeeded", "failed"].includes(from.status)) return null;
  return { ...ended(run, from, from.status, seq, hash), reason: from.reason ?? null, error: from.error ?? null };
}

/** @param {Run} run @param {Event} data @param {string} status @param {number} seq @param {string} hash @returns {Run} */
function ended(run, data, status, seq, hash) {
  return {
    ...run,
    status,
    reason: status === "failed" ? (data.reason ?? null) : null,
    error: status === "failed" ? data.error || data.reason || null : null,
    score: number(data.score),
    unit: data.unit ?? null,
    higher_is_better: data.higher_is_better ?? null,
    samples: number(data.samples),
    stderr: number(data.stderr),
    usage: data.usage ?? {},
    seconds: number(data.duration_seconds),
    synthetic: run.synthetic || Boolean(data.synthetic),
    revision: data.task_revision?.digest ?? run.revision,
    ended: seq,
    hash,
  };
}

/** A run whose orchestrator was lost. @param {Run} run @param {Event} data @param {number} seq @param {string} hash @returns {Run} */
function lost(run, data, seq, hash) {
  const error = `recovered: ${data.reason}`;
  const seconds = number(data.duration_seconds);
  return { ...run, status: "failed", recovered: true, reason: "orchestrator_lost", error, seconds, ended: seq, hash };
}

/** @param {Run} run */
const hasScore = (run) => run.status === "succeeded" && run.score !== null;

/** The run with the score of another scorer. @param {Run} run @param {Event} data @returns {Run} */
function rescored(run, data) {
  const upward = data.higher_is_better ?? run.higher_is_better;
  return { ...corrected(run, data), higher_is_better: upward, scorer: data.scorer.sha256 };
}

/** The run with another score. @param {Run} run @param {Event} anew @returns {Run} */
function corrected(run, anew) {
  const { score, unit, samples, stderr } = anew;
  return { ...run, score: number(score), unit: unit ?? null, samples: number(samples), stderr: number(stderr) };
}

/** The comparison key of a run: its options, its revision and its later scorer. @param {Run} run @returns {Promise<string>} */
export async function comparisonKey({ options_key, revision, scorer }) {
  const key = revision === UNKNOWN ? options_key : await hashOf(`${options_key} ${revision}`);
  return scorer === null ? key : hashOf(`${key} scorer ${scorer}`);
}

/** @param {string} commitment @param {string} revealed */
async function isFromOwner(commitment, revealed) {
  const [secret, ...other] = revealed.split(" ");
  return (await hashOf(`${await hashOf(secret)} ${other.join(" ")}`)) === commitment;
}

/** @param {string} commitment @param {string} revealed */
async function isFromShell(commitment, revealed) {
  const [other, ...secret] = revealed.split(" ");
  return (await hashOf(`${other} ${await hashOf(secret.join(" "))}`)) === commitment;
}

/** The cost of a run in US dollars; null if it is unknown. @param {Run} run */
export function costOf({ usage }) {
  const cost = number(usage.cost_usd ?? usage.cost);
  return cost !== null && cost >= 0 ? cost : null;
}

/** The doubtful kinds that a run is of. @param {Run} run @returns {string[]} */
export const doubtsOf = (run) =>
  ["imported", "late", "reproduction", "retracted", "synthetic"].filter((kind) => run[kind]);
