// A conversation turn by turn: who said what, which tools were called, and what they answered.

import { h } from "./dom.js";
import { cost, count, plural } from "./format.js";
import { facts } from "./parts.js";
import { inLine, pretty } from "./sample.js";

/** @typedef {Record<string, any>} Turn as /api/runs/{run_id}/sample gives them */
/** @typedef {Record<string, any>} Part */

const MAX_LINES = 20;
const MAX_CHARACTERS = 4_000;
const SPEAKERS = new Set(["system", "developer", "user", "assistant", "tool"]);

/** @param {{ shape: string, turns: Turn[], left_out: number, more: Record<string, any> }} transcript */
export function transcriptView({ turns, left_out: left, more }) {
  /** @type {any[]} */
  const rows = [];
  for (let at = 0; at < turns.length; at += 1) {
    const quiet = quietTurns(turns, at);
    if (quiet.length) {
      rows.push(h("li", {}, events(quiet, at)));
      at += quiet.length - 1;
    } else rows.push(h("li", { id: `turn-${at + 1}` }, turnView(turns[at], at)));
  }
  return [
    h("ol", { class: "turns plain" }, rows),
    left ? h("p", { class: "soft" }, `${plural(left, "more turn")}: see the raw data.`) : "",
    moreView(more),
  ];
}

/** Events without a speaker, one after another: the bookkeeping of a harness. @param {Turn[]} turns @param {number} from */
function quietTurns(turns, from) {
  let end = from;
  while (end < turns.length && !turns[end].parts?.length && !SPEAKERS.has(turns[end].role)) end += 1;
  return turns.slice(from, end);
}

/** @param {Turn[]} some @param {number} from */
const events = (some, from) =>
  h(
    "details",
    { class: "quiet-turns" },
    h(
      "summary",
      { class: "soft" },
      `${plural(some.length, "event")}: ${[...new Set(some.map(({ role }) => role))].join(", ")}`,
    ),
    some.map((turn, at) => turnView(turn, from + at)),
  );

/** A turn. @param {Turn} turn @param {number} at its place, from 0 @param {string} [mark] what it is beside another transcript */
export function turnView(turn, at, mark = "") {
  const about = [
    turn.model,
    tokens(turn),
    typeof turn.latency_ms === "number" && milliseconds(turn.latency_ms),
    typeof turn.cost_usd === "number" && cost(turn.cost_usd),
  ].filter(Boolean);
  return h(
    "article",
    {
      class: `turn ${SPEAKERS.has(turn.role) ? turn.role : "other"} ${mark}`.trim(),
      "aria-label": `Turn ${at + 1}: ${turn.role}`,
    },
    h(
      "header",
      {},
      h("span", { class: "number soft" }, count(at + 1)),
      h("strong", {}, turn.role),
      turn.name ? h("span", { class: "soft" }, turn.name) : "",
      h("span", { class: "soft about" }, about.join(" · ")),
    ),
    turn.error ? h("p", { class: "error" }, turn.error) : "",
    (turn.parts ?? []).map((/** @type {Part} */ part) => partView(part)),
    turn.parts?.length || turn.error
      ? ""
      : h("p", { class: "soft" }, Object.keys(turn.more ?? {}).length ? "" : "(empty)"),
    moreView(turn.more),
  );
}

/** @param {Turn} turn */
function tokens({ input_tokens: read, output_tokens: made, cached_tokens: kept }) {
  const some = [
    typeof read === "number" && `${count(read)} in`,
    typeof kept === "number" && kept > 0 && `${count(kept)} cached`,
    typeof made === "number" && `${count(made)} out`,
  ].filter(Boolean);
  return some.length ? `${some.join(", ")} tokens` : "";
}

/** 120 ms, 3.2 s. @param {number} value */
export const milliseconds = (value) => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`);

/** @param {Part} part @returns {any} */
function partView(part) {
  if (part.kind === "text") return [folded(part.text ?? "", part.name ?? ""), moreView(part.more)];
  if (part.kind === "reasoning")
    return h(
      "details",
      { class: "reasoning" },
      h("summary", {}, "Reasoning"),
      folded(part.text ?? "", "reasoning"),
      moreView(part.more),
    );
  if (part.kind === "media") return h("p", { class: "media soft" }, `[${part.text}]`);
  if (part.kind === "call") return callView(part);
  if (part.kind === "result") return resultView(part);
  return jsonView(part.data);
}

/** @param {Part} part */
function callView(part) {
  const given = part.data;
  const simple = given && typeof given === "object" && !Array.isArray(given) ? Object.entries(given) : [];
  // A command or a piece of code is read as a text, and not as a JSON string.
  const asText = simple.length > 0 && simple.some(([, value]) => typeof value === "string" && value.includes("\n"));
  return h(
    "div",
    { class: "call" },
    h(
      "div",
      { class: "called" },
      h("span", { class: "arrow", "aria-hidden": "true" }, "→ "),
      h("code", {}, part.name || "tool"),
      simple.length === 1 && !asText && typeof simple[0][1] === "string" && simple[0][1].length < 100
        ? [" ", h("span", { class: "soft" }, `${simple[0][0]}: `), h("code", {}, simple[0][1])]
        : "",
    ),
    simple.length === 1 && !asText && typeof simple[0][1] === "string" && simple[0][1].length < 100
      ? ""
      : asText
        ? simple.map(([name, value]) => [
            h("span", { class: "soft" }, name),
            typeof value === "string" ? folded(value, name, "mono") : jsonView(value),
          ])
        : given === undefined ||
            given === null ||
            (simple.length === 0 && typeof given === "object" && !Array.isArray(given))
          ? ""
          : typeof given === "string"
            ? folded(given, "arguments", "mono")
            : jsonView(given),
    moreView(part.more),
    (part.results ?? []).map(resultView),
  );
}

/** @param {Part} part */
function resultView(part) {
  return h(
    "div",
    { class: `result ${part.is_error ? "failed" : ""}`.trim() },
    h("span", { class: part.is_error ? "error" : "soft" }, part.is_error ? "error" : "result"),
    (part.results ?? []).map((/** @type {Part} */ inner) =>
      inner.kind === "text" ? folded(readable(inner.text ?? ""), "result", "mono") : partView(inner),
    ),
    part.results?.length ? "" : h("span", { class: "soft" }, " (empty)"),
    moreView(part.more),
  );
}

/** A text that is one long line of JSON, with its lines. @param {string} text */
function readable(text) {
  if (text.length < 60 || !/^\s*[{[]/.test(text) || text.includes("\n")) return text;
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text;
  }
}

/** A text; a long one begins with its first lines. @param {string} text @param {string} name @param {string} [kind] */
export function folded(text, name, kind = "") {
  const shown = cut(text);
  const body = h("div", { class: `written ${kind}`.trim() }, shown);
  if (shown === text) return body;
  const rest = text.split("\n").length;
  const open = h(
    "button",
    { type: "button", class: "unfold", "data-unfold": "", "aria-label": `Show all of ${name || "this text"}` },
    rest > MAX_LINES ? `Show all ${count(rest)} lines` : `Show all ${count(text.length)} characters`,
  );
  open.addEventListener("click", () => {
    body.replaceChildren(...h("div", {}, text).childNodes);
    open.remove();
  });
  return [body, open];
}

/** @param {string} text */
function cut(text) {
  const lines = text.split("\n");
  const some = lines.length > MAX_LINES + 5 ? lines.slice(0, MAX_LINES).join("\n") : text;
  return some.length > MAX_CHARACTERS + 500 ? some.slice(0, MAX_CHARACTERS) : some;
}

/** @param {any} value */
export const jsonView = (value) => folded(pretty(value), "JSON", "mono json");

/** Fields that have no place of their own. @param {Record<string, any> | undefined} more */
export function moreView(more) {
  const rows = Object.entries(more ?? {});
  if (!rows.length) return "";
  return h(
    "details",
    { class: "more-fields" },
    h("summary", { class: "soft" }, `${plural(rows.length, "more field")}: ${rows.map(([name]) => name).join(", ")}`),
    facts(
      rows.map(([name, value]) => [
        name,
        typeof value === "object" ? jsonView(value) : h("span", { class: "mono" }, inLine(value)),
      ]),
    ),
  );
}
