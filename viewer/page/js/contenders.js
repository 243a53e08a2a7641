// Who else answered a sample.

import { get } from "./api.js";

/**
 * The contenders of a run's task that have a sample, each with its newest run and what it came to.
 *
 * @param {{ benchmark_id: string, comparison_key: string }} run
 * @param {string} id of the sample
 * @param {AbortSignal} signal
 * @returns {Promise<{ all: any[], cells: any[], isBinary: boolean, best: number }>}
 */
export async function contendersOf({ benchmark_id: benchmark, comparison_key: task }, id, signal) {
  const answer = await get(`/api/benchmarks/${encodeURIComponent(benchmark)}/samples`, {
    query: { task, q: id, limit: 500 },
    signal,
  });
  const {
    contenders,
    rows,
    is_binary: isBinary,
    higher_is_better: upwards,
    low,
    high,
  } = /** @type {any} */ (answer).value;
  const row = rows.find((/** @type {any} */ one) => one.id === id);
  return {
    all: contenders.filter((/** @type {any} */ one) => one.repeats),
    cells: contenders.flatMap((/** @type {any} */ one, /** @type {number} */ at) =>
      row?.cells[at] ? [{ ...one, cell: row.cells[at] }] : [],
    ),
    isBinary,
    best: upwards ? high : low,
  };
}
