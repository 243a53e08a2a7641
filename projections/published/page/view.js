// What the page shows: the table of its event, its facts, and the result of the check. Every text is set as text.

import { unhex } from "./bytes.js";
import { eventIn } from "./lines.js";

/** @typedef {import("./lines.js").Event} Event */
/** @typedef {Record<string, any>} Row */
/** @typedef {[string, string, (row: Row, data: any) => any]} Column */

/** @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} name @param {string} [text] @param {string} [kind] */
export function make(name, text = "", kind = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

/** A sentence with its capital letter, unless it begins with a name, and its period. @param {string} text */
export const sentence = (text) => `${/^[a-z]+[ :,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text}.`;

/** @param {number | null} value @param {number} [digits] */
const figure = (value, digits = 4) =>
  value === null ? "" : Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(digits)));

/** @param {number | null} value */
const percent = (value) => (value === null ? "" : `${Math.floor(value * 1000 + 1e-9) / 10}%`);

/** @param {Row} row */
const optionsOf = (row) =>
  Object.entries(row.config)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");

/** @param {Row} row */
function rankOf({ rank, rank_low, rank_high }) {
  const isSure = (rank_low ?? null) === null || rank_low === rank_high;
  return isSure ? rank : `${rank} (${rank_low} to ${rank_high})`;
}

/** @param {Row} row @param {any} data */
function reproducedOf(row, data) {
  const ids = new Set([...row.runs.map((/** @type {Row} */ run) => run.run_id), ...row.attempt_ids]);
  const mine = data.reproductions.filter((/** @type {Row} */ one) => ids.has(one.of));
  if (!mine.length) return "";
  const order = ["same", "within_noise", "differs"];
  const worst = order[Math.max(...mine.map((/** @type {Row} */ one) => order.indexOf(one.verdict)))];
  return `by ${new Set(mine.map((/** @type {Row} */ one) => one.by)).size}, ${worst.replace("_", " ")}`;
}

/** @type {Column[]} */
const COLUMNS = [
  ["rank", "number", rankOf],
  ["benchmark", "", (row) => row.benchmark_id],
  ["options", "soft", optionsOf],
  ["contender", "contender", (row) => `${row.agent} with ${row.provider}:${row.model}`],
  ["score", "number score", (row) => `${figure(row.score)}${row.unit && row.unit !== "ratio" ? ` ${row.unit}` : ""}`],
  [
    "95% interval",
    "number",
    (row) => (row.low === null || row.high === null ? "unknown" : `${figure(row.low, 3)} to ${figure(row.high, 3)}`),
  ],
  ["n", "number", (row) => figure(row.samples)],
  ["repeats", "number", (row) => row.repeats],
  ["attempts", "number", (row) => row.attempts],
  ["completion", "number", (row) => percent(row.completion)],
  ["cost", "number", (row) => (row.cost_usd === null ? "unknown" : `$${figure(row.cost_usd)}`)],
  ["registered", "number", (row) => `${row.registered} of ${row.repeats}`],
  ["reproduced", "", reproducedOf],
];

/** Columns that are left out if no row has anything to say in them. @type {Map<string, (row: Row, data: any) => boolean>} */
const OPTIONAL = new Map([
  ["options", (/** @type {Row} */ row) => Object.keys(row.config).length > 0],
  ["registered", (/** @type {Row} */ row) => row.registered > 0],
  ["reproduced", (/** @type {Row} */ row, /** @type {any} */ data) => reproducedOf(row, data) !== ""],
]);

/** @param {Event} event @param {any} data */
export function showTable(event, data) {
  const table = /** @type {HTMLTableElement} */ (byId("rows"));
  const head = table.createTHead().insertRow();
  const columns = COLUMNS.filter(
    ([name]) =>
      OPTIONAL.get(name) === undefined ||
      event.data.rows.some((/** @type {Row} */ row) => OPTIONAL.get(name)?.(row, data)),
  );
  head.append(make("th", "checked"));
  for (const [name, kind] of columns) head.append(make("th", name, kind.includes("number") ? "number" : ""));
  head.append(make("th", "runs"));
  const body = table.createTBody();
  const corrected = new Set(data.errata.flatMap((/** @type {Row} */ one) => one.rows));
  for (const [at, row] of event.data.rows.entries()) {
    const line = body.insertRow();
    line.dataset.row = String(at + 1);
    if (corrected.has(at + 1)) line.className = "erratum";
    line.append(make("td", "…", "mark"));
    for (const [, kind, value] of columns) line.append(make("td", String(value(row, data)), kind));
    const cell = make("td");
    const more = make("button", row.runs.length === 1 ? "1 run" : `${row.runs.length} runs`);
    more.setAttribute("aria-expanded", "false");
    more.addEventListener("click", () => toggle(line, row, more, data));
    cell.append(more);
    line.append(cell);
  }
}

/** @param {HTMLTableRowElement} line @param {Row} row @param {HTMLElement} button @param {any} data */
function toggle(line, row, button, data) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  if (isOpen) return line.nextElementSibling?.remove();
  const inside = make("tr");
  const cell = /** @type {HTMLTableCellElement} */ (make("td"));
  cell.colSpan = line.cells.length;
  for (const run of row.runs) {
    cell.append(
      make("div", `${run.run_id}: score ${run.score}, ${run.samples ?? "unknown"} samples, event ${run.seq}`),
      ...evidenceOf(run, data),
    );
  }
  const others = row.attempt_ids.filter(
    (/** @type {string} */ id) => !row.runs.some((/** @type {Row} */ run) => run.run_id === id),
  );
  if (others.length) cell.append(make("div", `Other runs: ${others.join(", ")}`, "soft"));
  inside.append(cell);
  line.after(inside);
}

/** The event that ended a run, with its proof; or its proof alone. @param {Row} run @param {any} data */
function evidenceOf(run, data) {
  const found = data.events.find((/** @type {Row} */ one) => one.line.endsWith(`"hash":"${run.hash}"}`));
  if (found)
    return [
      make("div", "The event, and its proof for ledger verify-proof:", "soft"),
      make("pre", found.line),
      make("pre", proofText(eventIn(found.line).event.seq, run.hash, found.proof, data.checkpoint)),
    ];
  const withheld = (data.withheld ?? []).find((/** @type {Row} */ one) => one.hash === run.hash);
  if (!withheld) return [];
  return [
    make(
      "div",
      "The line of the event is withheld. Its proof for ledger verify-proof, with the line or without:",
      "soft",
    ),
    make("pre", proofText(withheld.seq, run.hash, withheld.proof, data.checkpoint)),
  ];
}

/** A C2SP tlog-proof. @param {number} seq @param {string} hash @param {string[]} proof @param {string} checkpoint */
function proofText(seq, hash, proof, checkpoint) {
  const leaf = btoa(String.fromCharCode(...unhex(hash)));
  return ["c2sp.org/tlog-proof@v1", `extra ${leaf}`, `index ${seq - 1}`, ...proof, "", checkpoint].join("\n");
}

/** @param {any} value @returns {string} */
const plain = (value) =>
  typeof value === "object" ? Object.values(value).filter(Boolean).map(plain).join(" by ") : String(value);

/** @param {Event} event @param {any} data */
export function showFacts(event, data) {
  const { data: table, at } = event;
  byId("title").textContent = table.rules.title || table.name;
  byId("subtitle").textContent =
    `${table.name}, version ${table.version}, published by ${table.author} on ${at.slice(0, 10)}`;
  const isSet = (/** @type {any} */ value) =>
    value !== null && value !== "" && !(typeof value === "object" && Object.keys(value).length === 0);
  const facts = Object.entries(table.rules)
    .filter(([name, value]) => !["name", "title"].includes(name) && isSet(value))
    .map(([name, value]) => [
      name.replace("_", " "),
      Array.isArray(value) ? value.map(plain).join(", ") : plain(value),
    ]);
  facts.push(["made from", `${table.position} events`]);
  if (data.withheld?.length) facts.push(["withheld", `${data.withheld.length} lines; their hashes are in the tree`]);
  if (table.registration) {
    const plan = table.registration;
    facts.push(["registration", `${plan.id}: ${plan.standing}, ${plan.outcome.replace("_", " ")}: ${plan.hypothesis}`]);
  }
  for (const [name, value] of facts) byId("facts").append(make("dt", name), make("dd", value));
  byId("checkpoint").textContent = data.checkpoint;
  showErrata(data.errata);
}

/** @param {Row[]} errata */
function showErrata(errata) {
  if (!errata.length) byId("errata").append(make("li", "none up to the checkpoint below"));
  for (const one of errata) {
    const where = one.rows.length === 1 ? `row ${one.rows[0]}` : `rows ${one.rows.join(", ")}`;
    const score = one.score === null ? "" : `, score ${one.score}`;
    const what = `${one.run_id} was ${one.kind.replace("_", " ")}${score}, by ${one.author}: ${one.reason}`;
    byId("errata").append(make("li", `${one.at.slice(0, 10)}, ${where}: ${what}`));
  }
}

/** @param {string} kind @param {string} title @param {string[]} [sentences] */
export function banner(kind, title, sentences = []) {
  const box = byId("verdict");
  box.className = `banner ${kind}`;
  box.replaceChildren(make("strong", title));
  if (!sentences.length) return;
  const list = make("ul");
  for (const one of sentences.slice(0, 20)) list.append(make("li", one));
  if (sentences.length > 20) list.append(make("li", `and ${sentences.length - 20} more`));
  box.append(list);
}

/**
 * Mark each row with the result of the check.
 * @param {Set<number | null>} wrong numbers of rows @param {Map<number, Set<string>>} stated @param {boolean} isBad
 */
export function markRows(wrong, stated, isBad) {
  for (const line of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#rows tr[data-row]"))) {
    const number = Number(line.dataset.row);
    const mark = /** @type {HTMLElement} */ (line.querySelector(".mark"));
    const isCorrected = line.classList.contains("erratum");
    const isStated = stated.has(number);
    const good = isStated ? (stated.get(number)?.has("score") ? "stated" : "✓ in part") : "✓ proven";
    mark.textContent = wrong.has(number) ? "✗ wrong" : isBad ? "? see above" : isCorrected ? "✓ erratum" : good;
    mark.className = `mark ${wrong.has(number) ? "bad" : isBad || isCorrected || isStated ? "mild" : "good"}`;
    if (wrong.has(number)) line.classList.add("bad");
  }
}
