// The panels of a run's page that only show data.

import { benchmarkLink, hash, planLink, runsLink } from "./address.js";
import { bare } from "./ansi.js";
import { command, dataTable } from "./data-table.js";
import { h } from "./dom.js";
import { cost, count, duration, moment } from "./format.js";
import { facts, panel, reasonText, runLink, scoreOf, statusDot, when } from "./parts.js";

/** @typedef {Record<string, any>} Run */

export const number = (/** @type {any} */ value) =>
  typeof value === "number" ? (Number.isInteger(value) ? count(value) : value.toFixed(3)) : String(value);

const code = (/** @type {any} */ value) =>
  value && h("code", {}, typeof value === "string" ? value : JSON.stringify(value));

// A source is any text; only a web address becomes a link.
const source = (/** @type {string | null} */ text) =>
  text && (/^https?:\/\//.test(text) ? h("a", { href: text, rel: "noreferrer noopener" }, text) : text);

/** @param {Run} run */
export function errorPanel(run) {
  if (!run.error && !run.retracted) return null;
  const parts = [run.retracted && `Retracted by ${run.retracted.author}: ${run.retracted.reason}`, run.error];
  const text = parts.filter(Boolean).join("\n\n");
  return panel(
    run.retracted ? "Retracted" : "What went wrong",
    h("pre", { class: "log error", tabindex: "0", "aria-label": "Error" }, bare(text)),
  );
}

/** @param {Run} run @param {Run} standing */
export function metricsPanel(run, standing) {
  const { cost_usd: _, price, ...used } = run.usage ?? {};
  const usage = flatten(used).map(([name, value]) => /** @type {[string, any]} */ ([name.replaceAll("_", " "), value]));
  /** @type {[string, any][]} */
  const rows = [
    ["samples", count(run.samples)],
    ...flatten(run.metrics),
    ...usage,
    [
      "cost",
      standing.cost_usd !== null && standing.cost_usd !== undefined
        ? [cost(standing.cost_usd), price && h("span", { class: "soft" }, ` at ${priceText(price)}`)]
        : "",
    ],
  ];
  return rows.some(([, value]) => value?.length) ? panel("Metrics and usage", facts(rows)) : null;
}

/** The price from which a cost was calculated. @param {any} price */
const priceText = ({ input, output, source, date }) =>
  `${cost(input)} / ${cost(output)} per 1M input / output tokens (${source}, ${date})`;

/** @param {Run | null} value @param {string} [prefix] @param {(value: any) => any} [written] @returns {[string, any][]} */
function flatten(value, prefix = "", written = number) {
  return Object.entries(value ?? {}).flatMap(([name, item]) =>
    item !== null && typeof item === "object"
      ? flatten(item, `${prefix}${name}.`, written)
      : [/** @type {[string, any]} */ ([`${prefix}${name}`, written(item)])],
  );
}

/** @param {Run} run */
export function factsPanel(run) {
  return panel(
    "Details",
    facts([
      ["benchmark", h("a", { href: benchmarkLink(run.benchmark_id) }, run.benchmark_id)],
      ["group", run.run_group_id && h("a", { href: runsLink({ group: run.run_group_id }) }, run.run_group_id)],
      ["attempt", run.attempt],
      ["plan", run.registration && h("a", { href: planLink(run.registration) }, run.registration)],
      ["reproduces", run.reproduces && h("a", { href: runLink(run.reproduces) }, run.reproduces)],
      ["started", moment(run.started_at)],
      ["ended", moment(run.ended_at)],
      ["duration", duration(run.duration_seconds)],
      ["exit code", run.return_code],
      ["supervisor notes", (run.notes ?? []).join("; ")],
      ["benchmark version", run.benchmark_version],
      ["revision", code(run.task_revision?.digest?.slice(0, 12))],
      ["answered by", run.served_model],
      ["commit", code(run.benchmarks_commit)],
      ["eliza", [run.eliza_version, run.eliza_commit].filter(Boolean).join(" ")],
      ["published score", source(run.high_score_source)],
      ["imported from", run.imported && code(run.imported.path)],
      ["signature", code(run.signature)],
      ["proof", run.status === "running" ? "" : command(`benchmarks ledger prove ${run.run_id}`)],
    ]),
  );
}

/** Configuration and command, to read and to copy. @param {Run} run */
export function configPanel(run) {
  const block = (/** @type {string} */ title, /** @type {string} */ text) =>
    text && h("div", {}, h("h3", {}, title), h("pre", { tabindex: "0", "aria-label": title }, text));
  const command = (run.command ?? []).map(quoted).join(" ");
  const config = Object.keys(run.extra_config ?? {}).length ? JSON.stringify(run.extra_config, null, 2) : "";
  const files = facts([
    ["stdout", code(run.stdout_path)],
    ["stderr", code(run.stderr_path)],
    ["result", code(run.result_json_path)],
  ]);
  return panel(
    "Configuration and command",
    h(
      "div",
      { class: "config" },
      block("Options", config),
      block("Command", command),
      block("Working directory", run.cwd ?? ""),
      files,
    ),
  );
}

const quoted = (/** @type {string} */ word) =>
  /^[\w@%+=:,./{}-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** @param {{ attempts: Run[], run: Run }} about */
export function attemptsPanel({ attempts, run }) {
  if (!attempts.length) return null;
  const compare = (/** @type {Run} */ other) =>
    typeof other.score === "number" &&
    typeof run.score === "number" &&
    h("a", { href: hash("/compare", { of: [`run:${other.run_id}`, `run:${run.run_id}`] }) }, "compare");
  return panel(
    "Other runs of this configuration",
    dataTable({
      caption: "Other runs of this configuration",
      rows: attempts,
      columns: [
        {
          key: "attempt",
          title: "Run",
          cell: (other) => [
            h("span", { class: "soft" }, statusDot(other)),
            h("a", { href: runLink(other.run_id) }, `attempt ${other.attempt}`),
          ],
        },
        {
          key: "score",
          title: "Score",
          number: true,
          cell: (other) => scoreOf({ unit: run.unit, ...other }) || h("span", { class: "soft" }, reasonText(other)),
        },
        { key: "started", title: "Started", cell: (other) => when(other.started_at) },
        { key: "compare", title: "", cell: compare },
      ],
    }),
  );
}

// A process id is not a quantity, and a digest is read letter by letter.
const asWritten = (/** @type {any} */ value) =>
  /^[0-9a-f]{16,}$/.test(String(value)) ? h("code", {}, String(value)) : String(value ?? "");

/** Where a run comes from, in one line: commit, version, machine, and whether its chain is verified. @param {Run} run @param {HTMLElement} chain */
export function provenanceLine(run, chain) {
  const { provenance = {}, owner } = run;
  const told = [
    run.imported ? "imported" : "",
    run.benchmarks_commit ? `commit ${run.benchmarks_commit.slice(0, 10)}` : "",
    run.benchmark_version ? `version ${run.benchmark_version}` : "",
    provenance?.python ? `Python ${String(provenance.python).split(" ")[0]}` : "",
    owner?.host ? `on ${owner.host}` : "",
  ].filter(Boolean);
  return [told.join(" · "), told.length ? " · " : "", chain.cloneNode(true)];
}

/** Environment and provenance: each part under its name; long lists are folded. @param {Run} run */
export function provenancePanel(run) {
  const entries = Object.entries({ ...run.provenance, ...(run.owner && { owner: run.owner }) });
  if (!entries.length) return null;
  const short = entries.filter(([, value]) => value === null || typeof value !== "object");
  const long = entries.filter(([, value]) => value !== null && typeof value === "object" && Object.keys(value).length);
  const parts = long.map(([name, value]) =>
    Array.isArray(value)
      ? h(
          "details",
          {},
          h("summary", {}, `${name.replaceAll("_", " ")} (${count(value.length)})`),
          h(
            "pre",
            { class: "log mono", tabindex: "0", "aria-label": name },
            value.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n"),
          ),
        )
      : h("div", {}, h("h3", {}, name.replaceAll("_", " ")), facts(flatten(value, "", asWritten))),
  );
  return panel(
    "Environment and provenance",
    h(
      "div",
      { class: "config" },
      facts(short.map(([name, value]) => [name.replaceAll("_", " "), asWritten(value)])),
      parts,
    ),
  );
}
