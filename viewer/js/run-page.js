// One run: it follows the run while it is under way, and keeps what somebody is reading as it is.

import { get, runPath } from "./api.js";
import { h, keep } from "./dom.js";
import { score, unitText } from "./format.js";
import { LogPanel } from "./log-panel.js";
import { delta, marks, scoreOf, statusBadge, when } from "./parts.js";
import { artifactsPanel, attemptsPanel, errorPanel, factsPanel, metricsPanel, notesPanel, provenancePanel } from "./run-panels.js";
import { SamplesPanel } from "./samples-panel.js";
import { empty } from "./states.js";
import { Timeline } from "./timeline.js";

const FOLLOW_MS = 2000;
const REST_MS = 10_000; // A run that has ended can still be annotated, retracted, or reported on late.

export function show(main, { id }, { leave, ready }) {
  const page = new RunPage(main, id, { all: "#/runs", leave, ready });
  page.start();
  return () => page.end();
}

class RunPage {
  constructor(main, runId, { all, leave, ready }) {
    Object.assign(this, { main, runId, all, leave, ready });
    this.path = runPath(runId);
    this.tag = null;
    this.controller = new AbortController();
    this.log = new LogPanel(runId);
    this.samples = new SamplesPanel(this.path);
    this.timeline = new Timeline();
  }

  start() {
    document.addEventListener(
      "keydown",
      (event) => event.key === "Escape" && !event.target.matches("input, select") && this.leave(),
      { signal: this.controller.signal },
    );
    this.notice = h("p", { class: "notice", role: "alert", hidden: true });
    this.head = h("div", {}, h("p", { class: "panel message" }, "Loading …"));
    this.left = h("div", {});
    this.right = h("div", {});
    this.main.replaceChildren(
      h("a", { class: "back", href: this.all }, "← All runs"),
      this.notice,
      this.head,
      h("div", { class: "columns" }, this.left, this.right),
    );
    this.follow();
  }

  end() {
    clearTimeout(this.timer);
    this.controller.abort();
  }

  /** Load, and again after a while: also after an error, for a server comes back. */
  async follow() {
    try {
      await this.load();
      this.notice.hidden = true;
    } catch (problem) {
      this.complain(problem.message);
    }
    if (this.controller.signal.aborted) return;
    this.timer = setTimeout(() => this.follow(), this.run?.status === "running" ? FOLLOW_MS : REST_MS);
  }

  complain(text) {
    if (this.run) {
      this.notice.textContent = `Not up to date: ${text}`;
      this.notice.hidden = false;
    } else {
      this.head.replaceChildren(h("div", {}, empty("This run cannot be shown", text)));
    }
  }

  async load() {
    const answer = await get(this.path, { known: this.tag });
    if (this.controller.signal.aborted) return;
    if (answer) await this.draw(answer);
    else if (this.run.status === "running") await this.log.load();
  }

  async draw({ value: about, tag }) {
    const { run } = about;
    const { value } = await get(`${this.path}/events`);
    if (run.artifacts.length && run.status !== this.run?.status) await this.samples.load();
    if (this.controller.signal.aborted) return;
    if (!this.run) this.head.replaceChildren();
    this.run = run;
    this.timeline.draw(value.events);
    keep(this.head, [["head", headData(about), () => headPanel(about)]]);
    keep(this.left, [
      ["error", [run.error, run.retracted], () => errorPanel(run)],
      ["notes", run.annotations, () => notesPanel(run)],
      ["metrics", [run.metrics, run.usage, run.samples, run.unit], () => metricsPanel(run)],
      ["samples", null, () => this.samples.element],
      ["log", null, () => this.log.element],
      ["artifacts", run.artifacts, () => artifactsPanel(run, this.path)],
    ]);
    keep(this.right, [
      ["facts", { ...run, progress: null, last_seen_at: null, last_seq: null }, () => factsPanel(run)],
      ["attempts", about.attempts, () => attemptsPanel(about)],
      ["timeline", null, () => this.timeline.element],
      ["provenance", run.provenance, () => provenancePanel(run)],
    ]);
    await this.log.load();
    this.tag = tag; // Only now: what failed half way is asked for again.
    this.ready?.();
    this.ready = null;
  }
}

const headData = ({ run, stale }) => [run.status, run.score, run.progress, run.retracted, run.late, run.recovered, stale];

function headPanel({ run, stale }) {
  const reference =
    run.high_score_label !== null &&
    h("div", { class: "soft" }, delta(run), ` against ${score(run.high_score_value)}`, run.high_score_label && ` (${run.high_score_label})`);
  return h(
    "section",
    { class: "panel run-head" },
    h(
      "div",
      {},
      h("h1", {}, run.benchmark_id),
      h("div", { class: "id mono" }, run.run_id),
      h("p", { class: "about" }, h("span", {}, statusBadge(run), ...marks({ ...run, stale })), h("span", {}, run.agent), h("span", {}, `${run.provider}:${run.model}`), when(run.started_at)),
    ),
    h("div", { class: "run-score" }, h("strong", {}, scoreOf(run) || "—"), unitText(run.unit) ? null : h("span", { class: "soft" }, run.unit ?? ""), reference),
  );
}
