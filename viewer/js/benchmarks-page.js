// A card for each benchmark: the best run, the latest, and the reference.

import { get } from "./api.js";
import { h, keep, message } from "./dom.js";
import { count, direction, signed } from "./format.js";
import { runLink, scored, statusBadge, when } from "./parts.js";

const REFRESH_MS = 15_000;

/** Shows the page in `main`; returns what ends it. */
export function showBenchmarks(main, { ready }) {
  const notice = h("p", { class: "notice", role: "alert", hidden: true });
  const place = h("div", {}, h("p", { class: "panel message" }, "Loading …"));
  const cards = h("div", { class: "cards" });
  let tag = null;
  let ended = false;

  async function load() {
    try {
      const answer = await get("/api/benchmarks", { known: tag });
      if (ended) return;
      notice.hidden = true;
      if (!answer) return;
      draw(place, cards, answer.value);
      if (!tag) ready();
      tag = answer.tag;
    } catch (problem) {
      if (ended) return;
      if (!tag) place.replaceChildren(message("The benchmarks cannot be shown", problem.message));
      notice.textContent = `Not up to date: ${problem.message}`;
      notice.hidden = !tag;
    }
  }

  main.replaceChildren(h("div", { class: "intro" }, h("h1", {}, "Benchmarks")), notice, place);
  load();
  const timer = setInterval(() => document.hidden || load(), REFRESH_MS);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}

function draw(place, cards, { benchmarks, head }) {
  document.dispatchEvent(new CustomEvent("head", { detail: head }));
  if (benchmarks.length) keep(cards, benchmarks.map((row) => [row.benchmark_id, row, () => card(row)]));
  const shown = benchmarks.length ? cards : message("No runs yet", "This command shows what can be run:", "benchmarks list-benchmarks");
  if (place.firstChild !== shown) place.replaceChildren(shown);
}

function card(row) {
  const reference = row.high_score;
  const gap = reference && row.best_score !== null ? row.best_score - reference.value : null;
  const better = gap === null ? null : h("span", { class: `delta ${direction(gap, reference.higher_is_better)}` }, signed(gap));
  return h(
    "article",
    { class: "panel card" },
    h("h2", {}, h("a", { href: `#/?benchmark=${encodeURIComponent(row.benchmark_id)}` }, row.benchmark_id)),
    h(
      "p",
      { class: "best" },
      row.best_run_id ? h("a", { class: "big", href: runLink(row.best_run_id) }, scored(row.best_score, null, row.unit)) : h("span", { class: "big" }, "—"),
      h("span", { class: "soft" }, row.best_run_id ? "own best" : "no own best yet"),
    ),
    h("p", { class: "against" }, reference ? [better, better && " ", h("span", { class: "soft" }, "against "), scored(reference.value, null, row.unit), h("span", { class: "soft" }, ` (${reference.label})`)] : h("span", { class: "soft" }, "no published reference")),
    h(
      "dl",
      { class: "facts" },
      h("dt", {}, "latest"),
      h("dd", { class: "latest" }, h("a", { href: runLink(row.latest_run_id) }, scored(row.latest_score, null, row.unit) || "no score"), statusBadge({ status: row.latest_status }), when(row.latest_started_at)),
      h("dt", {}, "model"),
      h("dd", {}, `${row.latest_provider}:${row.latest_model}`),
      h("dt", {}, "agent"),
      h("dd", {}, row.latest_agent),
      h("dt", {}, "runs"),
      h("dd", {}, `${count(row.runs)}, ${count(row.succeeded_runs)} succeeded`),
    ),
  );
}
