// One run: what it scored, how it was made, and every event, line of output and file of it.

import { get, getLog, runPath } from "./api.js";
import { h, message } from "./dom.js";
import { bytes, count, duration, moment, plain, score } from "./format.js";
import { delta, marks, runLink, scoreOf, statusBadge, when } from "./parts.js";

const REFRESH_MS = 2000;
const LOG_TAIL_BYTES = 200_000;
const SAMPLES = 100;

/** Shows the page in `main`; returns what ends it. */
export function showRun(main, runId) {
  const page = new RunPage(main, runId);
  page.start();
  return () => page.end();
}

class RunPage {
  constructor(main, runId) {
    this.main = main;
    this.runId = runId;
    this.path = runPath(runId);
    this.ended = false;
  }

  async start() {
    document.addEventListener("keydown", (this.onkey = (event) => event.key === "Escape" && !event.target.matches("input, select") && history.back()));
    this.head = h("div", {});
    this.left = h("div", {});
    this.right = h("div", {});
    this.main.replaceChildren(
      h("a", { class: "back", href: "#/" }, "← All runs"),
      this.head,
      h("div", { class: "columns" }, this.left, this.right),
    );
    try {
      await this.load();
    } catch (problem) {
      if (!this.ended) this.main.replaceChildren(message("This run cannot be shown", problem.message), h("p", {}, h("a", { href: "#/" }, "All runs")));
    }
  }

  end() {
    this.ended = true;
    clearTimeout(this.timer);
    document.removeEventListener("keydown", this.onkey);
  }

  async load() {
    const [{ value: about }, { value: events }] = await Promise.all([get(this.path), get(`${this.path}/events`)]);
    if (this.ended) return;
    this.about = about;
    const { run } = about;
    this.drawHead(about);
    this.log ??= new LogPanel(this.runId);
    this.samples ??= new SamplesPanel(this.path);
    await Promise.all([this.log.load(), this.samples.load()]);
    if (this.ended) return;
    const left = [errorPanel(run), metricsPanel(run), this.samples.element, this.log.element, artifactsPanel(run, this.path)];
    this.left.replaceChildren(...left.filter(Boolean));
    this.right.replaceChildren(factsPanel(run), ...attemptsPanel(about), timelinePanel(events.events, run), provenancePanel(run));
    if (run.status === "running") this.timer = setTimeout(() => this.load().catch(() => {}), REFRESH_MS);
  }

  drawHead({ run, stale }) {
    const reference = run.high_score_label && h("div", { class: "soft" }, delta(run), ` against ${score(run.high_score_value)} (${run.high_score_label})`);
    this.head.replaceChildren(
      h(
        "section",
        { class: "panel run-head" },
        h(
          "div",
          {},
          h("h1", {}, run.benchmark_id),
          h("div", { class: "id mono" }, run.run_id),
          h("p", {}, statusBadge(run), ...marks(run), stale && h("span", { class: "mark" }, "no sign of life"), " ", run.agent, " · ", `${run.provider}:${run.model}`, " · ", when(run.started_at)),
        ),
        h("div", { class: "run-score" }, h("strong", {}, scoreOf(run) || "—"), h("span", { class: "soft" }, run.unit ?? ""), reference),
      ),
    );
  }
}

const panel = (title, inside, extra) => h("section", { class: "panel" }, h("h2", {}, title, extra ?? ""), h("div", { class: "inside" }, inside));

function facts(rows) {
  const there = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, there.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

const code = (value) => value && h("code", {}, typeof value === "string" ? value : JSON.stringify(value));

function errorPanel(run) {
  if (!run.error && !run.retracted) return null;
  const text = run.retracted ? `Retracted by ${run.retracted.author}: ${run.retracted.reason}` : run.error;
  return panel(run.retracted ? "Retracted" : "What went wrong", h("pre", { class: "log error" }, plain(text)));
}

function metricsPanel(run) {
  const rows = flatten(run.metrics);
  const usage = Object.entries(run.usage ?? {}).map(([name, value]) => [name.replaceAll("_", " "), number(value)]);
  if (!rows.length && !usage.length) return null;
  return panel("Metrics and usage", facts([["samples", count(run.samples)], ...rows, ...usage]));
}

function flatten(value, prefix = "") {
  return Object.entries(value ?? {}).flatMap(([name, item]) =>
    item !== null && typeof item === "object" ? flatten(item, `${prefix}${name}.`) : [[`${prefix}${name}`, number(item)]],
  );
}

const number = (value) => (typeof value === "number" ? (Number.isInteger(value) ? count(value) : value.toFixed(3)) : String(value));

function factsPanel(run) {
  return panel(
    "How it was made",
    facts([
      ["group", h("a", { href: `#/?group=${encodeURIComponent(run.run_group_id)}` }, run.run_group_id)],
      ["attempt", run.attempt],
      ["options", code(run.extra_config)],
      ["started", moment(run.started_at)],
      ["ended", moment(run.ended_at)],
      ["took", duration(run.duration_seconds)],
      ["exit code", run.return_code],
      ["command", code(run.command.join(" "))],
      ["folder", code(run.cwd)],
      ["result", code(run.result_json_path)],
      ["benchmark version", run.benchmark_version],
      ["commit", code(run.benchmarks_commit)],
      ["eliza", [run.eliza_version, run.eliza_commit].filter(Boolean).join(" ")],
      ["reference", run.high_score_source && (/^https?:\/\//.test(run.high_score_source) ? h("a", { href: run.high_score_source, rel: "noreferrer noopener" }, run.high_score_source) : run.high_score_source)],
      ["imported from", run.imported && code(run.imported.path)],
      ["signature", code(run.signature)],
    ]),
  );
}

function attemptsPanel({ attempts }) {
  if (!attempts.length) return [];
  const rows = attempts.map((other) => h("li", {}, h("a", { href: runLink(other.run_id) }, `attempt ${other.attempt}`), " ", statusBadge(other), " ", score(other.score), " ", when(other.started_at)));
  return [panel("The same work, other attempts", h("ul", {}, rows))];
}

function timelinePanel(events, run) {
  const broken = events.filter((event) => !event.chain_verified).length;
  const state = broken ? h("span", { class: "status failed" }, `✕ ${broken} not as written`) : h("span", { class: "status succeeded" }, "✓ chain verified");
  const rows = events.map((event) =>
    h(
      "li",
      {},
      h(
        "details",
        {},
        h("summary", {}, h("span", { class: "kind" }, event.type), h("span", { class: "soft" }, moment(event.at)), h("span", { class: "mono soft" }, `#${event.seq} ${event.hash.slice(0, 12)}`), !event.chain_verified && h("span", { class: "mark" }, "changed")),
        h("pre", { class: "mono" }, JSON.stringify(event.data, null, 2)),
      ),
    ),
  );
  return panel(`Events of ${run.status === "running" ? "the run so far" : "the run"}`, h("ol", { class: "timeline" }, rows), state);
}

function artifactsPanel(run, path) {
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
  const table = h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "file"), h("th", { scope: "col", class: "number" }, "size"), h("th", { scope: "col" }, "SHA-256"))), h("tbody", {}, rows));
  return panel("Artifacts", h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Artifacts" }, table));
}

const provenancePanel = (run) => panel("Provenance", h("details", {}, h("summary", {}, "Versions, packages and machine"), h("pre", { class: "log mono" }, JSON.stringify(run.provenance, null, 2))));

/** A tail of stdout or stderr, which grows while the run does. */
class LogPanel {
  constructor(runId) {
    this.runId = runId;
    this.text = h("pre", { class: "log mono", tabindex: "0", "aria-label": "Output" });
    this.buttons = ["stdout", "stderr"].map((name) => h("button", { type: "button", "aria-pressed": "false", onclick: () => this.show(name) }, name));
    this.element = panel("Output", this.text, h("span", { class: "tabs" }, this.buttons));
    this.reset("stdout");
  }

  reset(name) {
    this.name = name;
    this.next = null;
    this.decoder = new TextDecoder();
    this.text.textContent = "";
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.textContent === name));
  }

  show(name) {
    this.reset(name);
    return this.load();
  }

  async load() {
    const { name } = this;
    const { bytes: piece, size, next } = await getLog(this.runId, name, this.next ?? -LOG_TAIL_BYTES);
    if (name !== this.name) return;
    const following = this.text.scrollTop + this.text.clientHeight >= this.text.scrollHeight - 8;
    if (this.next === null && size > LOG_TAIL_BYTES) this.text.append(`… ${bytes(size - LOG_TAIL_BYTES)} before this\n`);
    this.next = next;
    this.text.append(plain(this.decoder.decode(piece, { stream: true })));
    if (!this.text.textContent) this.text.append("(nothing)");
    else if (size && this.text.firstChild?.data === "(nothing)") this.text.firstChild.remove();
    if (following) this.text.scrollTop = this.text.scrollHeight;
  }
}

/** The samples, right and wrong. */
class SamplesPanel {
  constructor(path) {
    this.path = path;
    this.only = "";
    this.list = h("div", {});
    this.buttons = [["", "all"], ["1", "right"], ["0", "wrong"]].map(([value, text]) =>
      h("button", { type: "button", "data-only": value, "aria-pressed": String(value === ""), onclick: () => this.choose(value) }, text),
    );
    this.count = h("span", { class: "soft" });
    this.element = h("section", { class: "panel", hidden: true }, h("h2", {}, h("span", {}, "Samples ", this.count), h("span", { class: "tabs" }, this.buttons)), h("div", { class: "inside" }, this.list));
  }

  choose(value) {
    this.only = value;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.only === value));
    return this.load();
  }

  async load() {
    const { value } = await get(`${this.path}/samples?limit=${SAMPLES}${this.only && `&correct=${this.only}`}`);
    if (!this.only) this.element.hidden = !value.total;
    this.count.textContent = value.total > SAMPLES ? `${SAMPLES} of ${count(value.total)}` : count(value.total);
    this.list.replaceChildren(...value.samples.map((sample) => this.row(sample)));
    if (!value.samples.length) this.list.append(h("p", { class: "soft" }, "None."));
  }

  row(sample) {
    const right = sample.correct === true;
    return h(
      "details",
      { class: "sample" },
      h("summary", {}, h("span", { class: right ? "better" : "worse" }, right ? "✓" : "✕", h("span", { class: "visually-hidden" }, right ? "right" : "wrong")), h("span", { class: "mono" }, String(sample.id)), h("span", { class: "text" }, String(sample.output ?? ""))),
      facts([
        ["input", h("span", { class: "mono" }, text(sample.input))],
        ["expected", h("span", { class: "mono" }, text(sample.expected))],
        ["output", h("span", { class: "mono" }, text(sample.output))],
        ["score", sample.score === undefined ? "" : number(sample.score)],
        ["error", sample.error],
        ["tokens", sample.input_tokens === undefined ? "" : `${sample.input_tokens} in, ${sample.output_tokens} out`],
        ["latency", sample.latency_ms === undefined ? "" : `${Math.round(sample.latency_ms)} ms`],
      ]),
    );
  }
}

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value) ?? "");
