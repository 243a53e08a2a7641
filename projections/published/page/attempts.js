// How attempts ended, by the rules of projections/scores/attempts.py.

/** @typedef {import("./runs.js").Run} Run */

const INFRASTRUCTURE = ["environment", "start", "workspace", "orchestrator_lost", "interrupted", "stalled"];
const MAY_QUOTE_A_PROVIDER = ["exit_code", "no_result", "exception"];
const SEARCHED = 499;
const NUMBER = (/** @type {string} */ digits) => `(?<![\\p{L}\\p{N}_])${digits}(?![\\p{L}\\p{N}_])`;
const PROVIDER_ERROR = new RegExp(
  `${NUMBER("429")}|too many requests|rate.?limit|${NUMBER("50[234]")}|service unavailable|bad gateway|` +
    "gateway time-?out|overloaded|connection (refused|reset|aborted)|ECONNREFUSED|ECONNRESET|ETIMEDOUT|" +
    "temporary failure in name resolution|insufficient_quota",
  "iu",
);

/** Whether a failure says nothing about the benchmark or the model. @param {Run} run */
function isInfrastructure({ reason, error }) {
  if (INFRASTRUCTURE.includes(reason)) return true;
  const searched = [...(error ?? "")].slice(0, SEARCHED).join("");
  return MAY_QUOTE_A_PROVIDER.includes(reason) && PROVIDER_ERROR.test(searched);
}

/** The figures of all attempts at a piece of work. @param {Run[]} runs @returns {Record<string, number | null>} */
export function countsOf(runs) {
  const count = (/** @type {(run: Run) => boolean} */ is) => runs.filter(is).length;
  const successes = count((run) => run.status === "succeeded");
  const infrastructure = count((run) => run.status === "failed" && isInfrastructure(run));
  const ended = count((run) => run.status !== "running");
  return {
    attempts: runs.length,
    successes,
    own_failures: ended - successes - infrastructure,
    infrastructure_failures: infrastructure,
    completion: ended ? successes / ended : null,
  };
}
