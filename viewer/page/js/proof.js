// The check of a proof that the server gives: what its lines say, and whether they are in the tree of a checkpoint.

import { subtle } from "./bytes.js";
import { eventIn, provenEvent } from "./lines.js";
import { parseNote } from "./note.js";
import { runOf } from "./runs.js";

/**
 * @typedef {object} Found
 * @property {string[]} faults what is wrong, in sentences; none if the proof holds
 * @property {string[]} checked what this browser has checked
 * @property {string[]} unchecked what it has not
 * @property {import("./note.js").Note | null} note
 */

/**
 * Checks the proof of a run.
 *
 * @param {string} runId
 * @param {any} answer as `/api/runs/{run_id}/proof` gives it
 * @param {any} shown the run as the page shows it; null if it shows none
 * @returns {Promise<Found>}
 */
export async function checked(runId, answer, shown) {
  if (!subtle)
    return failed(
      "This browser computes no hashes here. Open the viewer by HTTPS, or as localhost, to check the proof.",
    );
  let note;
  try {
    note = parseNote(answer.checkpoint);
  } catch (problem) {
    return failed(`The checkpoint cannot be read: ${reason(problem)}.`);
  }
  const results = await Promise.allSettled(answer.events.map((/** @type {any} */ one) => eventOf(one, note)));
  const faults = results.flatMap((one) => (one.status === "rejected" ? [`${sentence(reason(one.reason))}.`] : []));
  const events = results.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const seen = await runOf(events, [], Number.MAX_SAFE_INTEGER, {});
  const run = seen?.run ?? null;
  if (!faults.length) faults.push(...contradictions(runId, answer, events, run, shown));
  const { size, origin } = note;
  return {
    faults,
    note,
    checked: [
      `The hash of each of the ${events.length} events of this run was computed from its bytes, and is the one in its line.`,
      `Each event is in the tree of the first ${size} events of the ledger ${origin}.`,
      `By these events, the run ${says(run)}${shown ? ", as the page shows it" : ""}.`,
    ],
    unchecked: [
      note.signatures.length
        ? `The signatures of the checkpoint, by ${note.signatures.map((one) => one.name).join(", ")}: enter a public key that you have from elsewhere.`
        : "Who stands for the checkpoint: it has no signature. It proves the number to a reader who has the same root from elsewhere.",
      ...(note.signatures.some((one) => one.name !== origin) ? [] : ["Witnesses: none has signed the checkpoint."]),
      "The files of the run, such as its samples: `benchmarks ledger verify` compares them with their digests.",
    ],
  };
}

/** @param {any} one @param {import("./note.js").Note} note */
async function eventOf({ seq, line, proof }, note) {
  let event;
  try {
    event = await provenEvent({ line, proof }, note);
  } catch (problem) {
    const text = reason(problem);
    throw new Error(text.includes(`event ${seq}`) ? text : `event ${seq}: ${text}`);
  }
  if (event.seq !== seq) throw new Error(`the line that is called event ${seq} is event ${event.seq}`);
  return event;
}

/** What the lines say against the page. @param {string} runId @param {any} answer @param {any[]} events @param {any} run @param {any} shown */
function contradictions(runId, answer, events, run, shown) {
  const other = events.find((one) => one.stream !== runId);
  if (other) return [`Event ${other.seq} is about ${other.stream}, and not about this run.`];
  const faults = [];
  if (!run) return ["The events do not tell how the run began."];
  for (const name of shown ? ["status", "score", "samples", "benchmark_id", "agent", "provider", "model"] : [])
    if ((run[name] ?? null) !== (shown[name] ?? null))
      faults.push(`The page shows ${name} ${shown[name]}, and the events say ${run[name]}.`);
  if (shown && Boolean(shown.retracted) !== run.retracted)
    faults.push(`The events say that the run is ${run.retracted ? "" : "not "}retracted, and the page does not.`);
  if (answer.tlog_proof !== tlogProof(answer)) faults.push("The file run.tlog-proof is not made of these lines.");
  return faults;
}

/** The proof of the event that gave the score, as C2SP tlog-proof writes it. @param {any} answer */
function tlogProof({ events, proven_seq: seq, checkpoint }) {
  const one = events.find((/** @type {any} */ event) => event.seq === seq);
  if (!one) return null;
  const digest = eventIn(one.line)
    .digest.match(/../g)
    ?.map((two) => String.fromCharCode(Number.parseInt(two, 16)));
  const extra = btoa((digest ?? []).join(""));
  return ["c2sp.org/tlog-proof@v1", `extra ${extra}`, `index ${seq - 1}`, ...one.proof, "", checkpoint].join("\n");
}

/** @param {any} run */
function says(run) {
  if (!run) return "has not begun";
  const ended = run.status === "running" ? "is running" : `has ${run.status}`;
  const score = run.score === null ? "" : ` with the score ${run.score}`;
  const samples = run.samples === null || run.score === null ? "" : ` of ${run.samples} samples`;
  return `${ended}${score}${samples}${run.retracted ? ", and is retracted" : ""}`;
}

const failed = (/** @type {string} */ text) => ({ faults: [text], checked: [], unchecked: [], note: null });
const reason = (/** @type {any} */ problem) => /** @type {Error} */ (problem).message;
const sentence = (/** @type {string} */ text) => text.charAt(0).toUpperCase() + text.slice(1);
