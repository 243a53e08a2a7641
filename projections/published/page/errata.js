// What happened to the runs of a table after it was published: corrections, and reproductions by others.

/** @typedef {import("./lines.js").Event} Event */
/** @typedef {Record<string, any>} Row */

const CORRECTIONS = ["retracted", "reinstated", "samples_excluded", "samples_included", "rescored"];

/** @param {Event[]} events in their order @param {Row[]} rows @param {number} position */
export function errataIn(events, rows, position) {
  /** @type {Map<string, number[]>} */
  const places = new Map();
  for (const [at, row] of rows.entries())
    for (const { run_id } of row.runs) places.set(run_id, [...(places.get(run_id) ?? []), at + 1]);
  return events
    .filter(({ seq, type, stream }) => seq > position && places.has(stream) && CORRECTIONS.includes(type))
    .map(({ seq, type, stream, at, data: { author, reason, anew, score } }) => ({
      kind: type,
      run_id: stream,
      rows: places.get(stream),
      seq,
      at,
      author,
      reason,
      score: anew ? anew.score : (score ?? null),
    }));
}

/** @param {Event[]} events in their order @param {Set<string>} ids */
export function reproductionsIn(events, ids) {
  /** @type {Map<string, boolean>} */
  const retracted = new Map();
  for (const { type, stream } of events)
    if (type === "retracted" || type === "reinstated") retracted.set(stream, type === "retracted");
  return events
    .filter(({ type, stream, data: event }) => type === "reproduced" && ids.has(event.of.run) && !retracted.get(stream))
    .map(({ seq, stream, data: { of, verdict, by } }) => ({ of: of.run, run_id: stream, verdict, by, seq }));
}
