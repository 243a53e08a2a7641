// One sample: whether the answer is correct, and everything that the benchmark wrote about it. Nothing is left out.

import { h } from "./dom.js";
import { cost, count, score } from "./format.js";
import { facts } from "./parts.js";

/** @typedef {Record<string, any>} Sample */
/** @typedef {"correct" | "incorrect" | "error" | "unscored"} Outcome */

/** @type {Record<Outcome, [kind: string, symbol: string]>} */
const MARKS = {
  correct: ["better", "✓"],
  incorrect: ["worse", "✕"],
  error: ["warned", "!"],
  unscored: ["soft", "·"],
};

/** As the server counts it (`resources/samples.py`). @param {Sample} sample @returns {Outcome} */
export function outcomeOf(sample) {
  if (isTold(sample.error)) return "error";
  if (typeof sample.correct !== "boolean") return "unscored";
  return sample.correct ? "correct" : "incorrect";
}

/** Whether a field says something: Python's idea of truth, which the server uses. @param {any} value */
const isTold = (value) =>
  Boolean(value) && (typeof value !== "object" || (Array.isArray(value) ? value : Object.keys(value)).length > 0);

/** A mark for what became of a sample; the word is for screen readers. @param {Sample} sample */
export function outcomeMark(sample) {
  const outcome = outcomeOf(sample);
  const [kind, symbol] = MARKS[outcome];
  return h("span", { class: kind }, symbol, h("span", { class: "visually-hidden" }, outcome));
}

/** A value in one line. @param {any} value */
export const inLine = (value) =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

/** The question, as the benchmarks name it. @param {Sample} sample */
export const questionOf = (sample) => inLine(sample.input ?? sample.question ?? sample.prompt ?? sample.expected);

/** What the model said, or why it said nothing. @param {Sample} sample */
export const answerOf = (sample) => inLine(sample.output ?? sample.answer ?? sample.response) || inLine(sample.error);

/** Fields that have a place of their own, in their order; all others follow. */
const OWN = ["input", "expected", "output", "score", "error", "explanation", "category"];
const COUNTED = ["id", "correct", "input_tokens", "output_tokens", "latency_ms", "cost_usd"];

/** Everything about a sample. @param {Sample} sample */
export function sampleDetails(sample) {
  const { messages, ...plain } = sample;
  const turns = Array.isArray(messages) && messages.every((one) => one && typeof one === "object");
  /** @type {[string, any][]} */
  const rows = [
    ...OWN.map((name) => /** @type {[string, any]} */ ([name, written(name, plain[name])])),
    ["tokens", tokens(sample)],
    ["latency", typeof sample.latency_ms === "number" ? `${count(Math.round(sample.latency_ms))} ms` : ""],
    ["cost", typeof sample.cost_usd === "number" ? cost(sample.cost_usd) : ""],
    ...Object.entries(plain)
      .filter(([name]) => !OWN.includes(name) && !COUNTED.includes(name))
      .map(([name, value]) => /** @type {[string, any]} */ ([name.replaceAll("_", " "), written(name, value)])),
    ["messages", turns ? transcript(messages) : written("messages", messages)],
  ];
  return facts(rows);
}

/** @param {Sample} sample */
function tokens({ input_tokens: read, output_tokens: made }) {
  const some = [typeof read === "number" && `${count(read)} in`, typeof made === "number" && `${count(made)} out`];
  return some.filter(Boolean).join(", ");
}

/** @param {string} name @param {any} value */
function written(name, value) {
  if (value === undefined || value === null || value === "") return "";
  if (typeof value === "number") return name === "score" ? score(value) : String(value);
  if (typeof value !== "object")
    return h("span", { class: `mono written ${name === "error" ? "error" : ""}` }, String(value));
  return json(name, value);
}

/** @param {string} name @param {any} value */
const json = (name, value) =>
  h("pre", { class: "mono json", tabindex: "0", "aria-label": name }, JSON.stringify(value, null, 2));

/** The turns of a conversation, as OpenAI, Anthropic and Inspect write them. @param {any[]} messages */
function transcript(messages) {
  return h(
    "ol",
    { class: "turns plain" },
    messages.map((message, at) => {
      const { role = "message", content, text, tool_calls: calls, name, function: called, ...more } = message;
      const rest = Object.keys(more).filter((key) => isTold(more[key]) && !["id", "type"].includes(key));
      return h(
        "li",
        { class: `turn ${String(role)}` },
        h("strong", {}, String(role)),
        name || typeof called === "string" ? h("span", { class: "soft" }, ` ${inLine(name ?? called)}`) : "",
        parts(content ?? text, at),
        (Array.isArray(calls) ? calls : []).map((call) => toolCall(call, at)),
        rest.map((key) =>
          typeof more[key] === "object"
            ? json(`${key} of turn ${at + 1}`, { [key]: more[key] })
            : h("div", { class: "soft" }, `${key}: ${more[key]}`),
        ),
      );
    }),
  );
}

/** @param {any} content @param {number} at @returns {any} */
function parts(content, at) {
  if (content === undefined || content === null || content === "") return "";
  if (typeof content === "string") return h("div", { class: "written" }, content);
  if (!Array.isArray(content)) return json(`content of turn ${at + 1}`, content);
  return content.map((part) => {
    if (typeof part === "string" || typeof part?.text === "string") return parts(part.text ?? part, at);
    if (part?.type === "tool_use") return toolCall(part, at);
    if (part?.type === "tool_result") return [h("span", { class: "soft" }, " result"), parts(part.content, at)];
    return json(`content of turn ${at + 1}`, part);
  });
}

/** @param {any} call @param {number} at */
function toolCall(call, at) {
  const inside = typeof call?.function === "object" ? call.function : call;
  const name = inside?.name ?? (typeof call?.function === "string" ? call.function : "tool");
  const given = parsed(inside?.arguments ?? inside?.input ?? inside?.args);
  return h(
    "div",
    { class: "call" },
    h("span", { class: "mono" }, `→ ${inLine(name)}`),
    given === undefined
      ? ""
      : typeof given === "string"
        ? parts(given, at)
        : json(`arguments of ${inLine(name)}`, given),
  );
}

/** Arguments are often JSON in a text. @param {any} value */
function parsed(value) {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
