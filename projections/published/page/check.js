// The check of a whole document: every line, proof and figure. projections/published/checking.py does the same.

import { errataIn, reproductionsIn } from "./errata.js";
import { eventIn, provenEvent, provePlace } from "./lines.js";
import { parseNote } from "./note.js";
import { placesOf } from "./ranks.js";
import { compared, equal, weigh } from "./rows.js";

/** @typedef {import("./lines.js").Event} Event */
/** @typedef {import("./lines.js").ProvenLine} ProvenLine */
/** @typedef {import("./lines.js").WithheldLine} WithheldLine */
/** @typedef {import("./note.js").Note} Note */
/** @typedef {Record<string, any>} Row */
/** Something that does not fit; `row` is the number of its row, from 1. @typedef {{ text: string, row: number | null }} Problem */
/** @typedef {{ problems: Problem[], unchecked: string[], stated: Map<number, Set<string>>, note: Note | null }} Found */
/** The events that are proven, and by stream: these, those that are withheld, and what is wrong with others. @typedef {{ all: Event[], events: Map<string, Event[]>, withheld: Map<string, WithheldLine[]>, broken: Map<string, string> }} Proven */

/** The parts of a row that a page may only state. @type {[string, string][]} */
const PARTS = [
  ["contender", "the contender, options, revision and registration of"],
  ["score", "score, interval, samples, cost and seconds of"],
  ["attempts", "attempts and completion of"],
];

/** A row's name for people. @param {Row} row */
export const nameOf = (row) => `${row.benchmark_id}, ${row.agent} with ${row.provider}:${row.model}`;

/** @param {any} data the document @returns {Promise<Found>} */
export async function check(data) {
  /** @type {Problem[]} */
  const problems = [];
  const add = (/** @type {string} */ text, /** @type {number | null} */ row = null) => problems.push({ text, row });
  let note;
  try {
    note = parseNote(data.checkpoint);
  } catch (problem) {
    add(`the checkpoint cannot be read: ${messageOf(problem)}`);
    return { problems, unchecked: [], stated: new Map(), note: null };
  }
  const published = eventIn(data.published.line).event.data;
  const fault = await faultOf(provenEvent(data.published, note));
  if (fault) add(`the table's own event: ${fault}`);
  if (data.format !== "benchmark-table/1") add(`the document has another format: ${data.format}`);
  if (data.name !== published.name || data.version !== published.version)
    add(
      `the document calls itself ${data.name} version ${data.version}, and its event says ` +
        `${published.name} version ${published.version}`,
    );
  const proven = await provenOf(data.events, data.withheld ?? [], note);
  if (data.rows.length !== published.rows.length)
    add(`the document has ${data.rows.length} rows, and its event has ${published.rows.length}`);
  const stated = await weighRows(data.rows, published, proven, add);
  addRanks(published.rows, add);
  const behind = streamsOf(published.rows);
  for (const [stream, text] of proven.broken)
    if (!behind.has(stream)) add(`the event of ${stream || "an unknown stream"}: ${text}`);
  const hidden = new Set([...proven.withheld.values()].flat().map((one) => one.seq));
  const isShown = (/** @type {{ seq: number }} */ one) => !hidden.has(one.seq);
  if (!equal(data.errata.filter(isShown), errataIn(proven.all, published.rows, published.position)))
    add("the errata are not those that the events say");
  if (!equal(data.reproductions.filter(isShown), reproductionsIn(proven.all, behind)))
    add("the reproductions are not those that the events say");
  return { problems, unchecked: uncheckedIn(stated, proven, published.rows, behind), stated, note };
}

/** @param {unknown} problem */
const messageOf = (problem) => (problem instanceof Error ? problem.message : String(problem));

/** @param {Promise<unknown>} attempt @returns {Promise<string>} empty if it succeeds */
const faultOf = (attempt) => attempt.then(() => "", messageOf);

/** @param {Row[]} rows @returns {Set<string>} */
const streamsOf = (rows) =>
  new Set(rows.flatMap((row) => [...row.runs.map((/** @type {any} */ run) => run.run_id), ...row.attempt_ids]));

/** @template T @param {Map<string, T[]>} of @param {string} stream @param {T} one */
const put = (of, stream, one) => of.set(stream, [...(of.get(stream) ?? []), one]);

/** @param {ProvenLine[]} lines @param {WithheldLine[]} withheld @param {Note} note @returns {Promise<Proven>} */
async function provenOf(lines, withheld, note) {
  /** @type {Proven} */
  const proven = { all: [], events: new Map(), withheld: new Map(), broken: new Map() };
  const broken = (/** @type {string} */ stream, /** @type {string} */ text) => {
    if (!proven.broken.has(stream)) proven.broken.set(stream, text);
  };
  const found = await Promise.allSettled(lines.map((one) => provenEvent(one, note)));
  found.forEach((one, at) => {
    if (one.status === "fulfilled") proven.all.push(one.value);
    else broken(streamOf(lines[at].line), messageOf(one.reason));
  });
  proven.all.sort((one, other) => one.seq - other.seq);
  for (const event of proven.all) put(proven.events, event.stream, event);
  const faults = await Promise.all(withheld.map((one) => faultOf(provePlace(one.seq, one.hash, one.proof, note))));
  faults.forEach((fault, at) => {
    if (fault) broken(withheld[at].stream, fault);
    else put(proven.withheld, withheld[at].stream, withheld[at]);
  });
  return proven;
}

/** @param {string} line */
function streamOf(line) {
  try {
    return String(eventIn(line).event.stream ?? "");
  } catch {
    return "";
  }
}

/**
 * Adds what is wrong with each row, and returns the parts of rows that are only stated, by their numbers.
 * @param {Row[]} rows @param {any} published @param {Proven} proven @param {(text: string, row: number) => void} add
 */
async function weighRows(rows, published, proven, add) {
  /** @type {Map<number, Set<string>>} */
  const found = new Map();
  const evidence = {
    ...proven,
    position: published.position,
    include: published.rules.include ?? [],
    oneCampaign: "runs" in published.rules,
  };
  for (const [at, row] of published.rows.entries()) {
    const { faults, stated } = await weigh(row, rows[at] ?? row, evidence);
    for (const fault of faults) add(`row ${at + 1} (${nameOf(row)}): ${fault}`, at + 1);
    if (stated.size) found.set(at + 1, stated);
  }
  return found;
}

/** @param {Row[]} rows @param {(text: string, row: number) => void} add */
function addRanks(rows, add) {
  if (rows.some(isWithoutRanks)) return;
  placesOf(rows).forEach((place, at) => {
    for (const [name, found] of Object.entries(place))
      for (const fault of compared(name, rows[at][name], found, "the scores of the table give"))
        add(`row ${at + 1} (${nameOf(rows[at])}): ${fault}`, at + 1);
  });
}

/** @param {Row} row */
const isWithoutRanks = (row) => (row.rank_low ?? null) === null;

/** @param {Map<number, Set<string>>} stated @param {Proven} proven @param {Row[]} rows @param {Set<string>} behind @returns {string[]} */
function uncheckedIn(stated, proven, rows, behind) {
  const unchecked = [];
  for (const [part, what] of PARTS) {
    const numbers = [...stated].filter(([, parts]) => parts.has(part)).map(([number]) => number);
    if (numbers.length)
      unchecked.push(
        `${what} ${numbersText(numbers)}: they are stated, and the lines that would show them are withheld`,
      );
  }
  if (rows.some(isWithoutRanks)) unchecked.push("ranks: an older version of the program published them");
  const missing = [...behind].reduce((sum, stream) => sum + missingOf(proven, stream), 0);
  if (missing)
    unchecked.push(
      `whether ${missing} other events of these runs change a figure: they are left out as heartbeats, remarks and ` +
        "requests to cancel",
    );
  unchecked.push(
    "the standard error and the number of samples of a single run: they are those that its last event states, and the " +
      "samples are not here",
    "whether a run was corrected after its last event here",
  );
  return unchecked;
}

/** @param {number[]} numbers */
const numbersText = (numbers) => `${numbers.length === 1 ? "row" : "rows"} ${numbers.join(", ")}`;

/** How many events of a run the document does not have, up to the last one that it has. @param {Proven} proven @param {string} stream */
function missingOf({ events, withheld }, stream) {
  const shown = events.get(stream) ?? [];
  const last = shown[shown.length - 1];
  if (!last) return 0;
  const before = (withheld.get(stream) ?? []).filter((one) => one.seq < last.seq).length;
  return Math.max(0, last.version - shown.length - before);
}
