// The panels of a run's page that only show data.

import { h } from "./dom.js";
import { bytes, count, duration, moment, plain } from "./format.js";
import { runLink, scored, statusBadge, when } from "./parts.js";

export const panel = (title, inside, extra) =>
  h("section", { class: "panel" }, h("h2", {}, title, extra ?? ""), h("div", { class: "inside" }, inside));

/** A list of names and values; what has no value is left out. */
export function facts(rows) {
  const there = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, there.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

export const number = (value) =>
  typeof value === "number" ? (Number.isInteger(value) ? count(value) : value.toFixed(3)) : String(value);

const code = (value) => value && h("code", {}, typeof value === "string" ? value : JSON.stringify(value));

// A source is somebody's text: only what is plainly an address of the web becomes a link.
const source = (text) => text && (/^https?:\/\//.test(text) ? h("a", { href: text, rel: "noreferrer noopener" }, text) : text);

export function errorPanel(run) {
  if (!run.error && !run.retracted) return null;
  const told = [run.retracted && `Retracted by ${run.retracted.author}: ${run.retracted.reason}`, run.error];
  const text = told.filter(Boolean).join("\n\n");
  return panel(run.retracted ? "Retracted" : "What went wrong", h("pre", { class: "log error", tabindex: "0", "aria-label": "Error" }, plain(text)));
}

export function notesPanel(run) {
  if (!run.annotations.length) return null;
  const notes = run.annotations.map(({ author, note, tags }) =>
    h("li", {}, h("strong", {}, author), " ", note, ...(tags ?? []).map((tag) => h("span", { class: "mark" }, tag))),
  );
  return panel("Notes", h("ul", { class: "plain" }, notes));
}

export function metricsPanel(run) {
  const usage = Object.entries(run.usage ?? {}).map(([name, value]) => [name.replaceAll("_", " "), number(value)]);
  const rows = [["samples", count(run.samples)], ...flatten(run.metrics), ...usage];
  return rows.some(([, value]) => value) ? panel("Metrics and usage", facts(rows)) : null;
}

function flatten(value, prefix = "") {
  return Object.entries(value ?? {}).flatMap(([name, item]) =>
    item !== null && typeof item === "object" ? flatten(item, `${prefix}${name}.`) : [[`${prefix}${name}`, number(item)]],
  );
}

export function factsPanel(run) {
  return panel(
    "How it was made",
    facts([
      ["group", run.run_group_id && h("a", { href: `#/?group=${encodeURIComponent(run.run_group_id)}` }, run.run_group_id)],
      ["attempt", run.attempt],
      ["options", code(run.extra_config)],
      ["started", moment(run.started_at)],
      ["ended", moment(run.ended_at)],
      ["took", duration(run.duration_seconds)],
      ["exit code", run.return_code],
      ["supervision", (run.notes ?? []).join("; ")],
      ["command", code(run.command.join(" "))],
      ["folder", code(run.cwd)],
      ["stdout", code(run.stdout_path)],
      ["stderr", code(run.stderr_path)],
      ["result", code(run.result_json_path)],
      ["benchmark version", run.benchmark_version],
      ["commit", code(run.benchmarks_commit)],
      ["eliza", [run.eliza_version, run.eliza_commit].filter(Boolean).join(" ")],
      ["reference", source(run.high_score_source)],
      ["imported from", run.imported && code(run.imported.path)],
      ["signature", code(run.signature)],
    ]),
  );
}

export function attemptsPanel({ attempts, run }) {
  if (!attempts.length) return null;
  const rows = attempts.map((other) =>
    h("li", {}, h("a", { href: runLink(other.run_id) }, `attempt ${other.attempt}`), statusBadge(other), h("span", {}, scored(other.score, null, run.unit)), when(other.started_at)),
  );
  return panel("Other attempts at the same work", h("ul", { class: "plain attempts" }, rows));
}

export function artifactsPanel(run, path) {
  if (!run.artifacts.length) return null;
  const rows = run.artifacts.map((file) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: `${path}/artifacts/${file.path.split("/").map(encodeURIComponent).join("/")}`, download: "" }, file.path)),
      h("td", { class: "number" }, bytes(file.bytes)),
      h("td", { class: "mono soft", title: file.sha256 }, file.sha256.slice(0, 12)),
    ),
  );
  const head = h("tr", {}, h("th", { scope: "col" }, "file"), h("th", { scope: "col", class: "number" }, "size"), h("th", { scope: "col" }, "SHA-256"));
  const table = h("table", { class: "small" }, h("thead", {}, head), h("tbody", {}, rows));
  return panel("Artifacts", h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Artifacts" }, table));
}

export function provenancePanel(run) {
  if (!Object.keys(run.provenance ?? {}).length) return null;
  const all = h("pre", { class: "log mono", tabindex: "0", "aria-label": "Provenance" }, JSON.stringify(run.provenance, null, 2));
  return panel("Provenance", h("details", {}, h("summary", {}, "Versions, packages and machine"), all));
}
