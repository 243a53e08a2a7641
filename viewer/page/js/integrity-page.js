// Whether the ledger can be trusted: its proof, corrections, and what changed between two moments.

import { benchmarkLink, hash, runLink, runsLink } from "./address.js";
import { get } from "./api.js";
import { command, dataTable, exportMenu } from "./data-table.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { count, moment, plural, score, signed } from "./format.js";
import { ledger } from "./ledger.js";
import { facts, panel, when } from "./parts.js";
import { proofForm } from "./proof-panel.js";
import { empty, failure, loading } from "./states.js";
import { tip } from "./tip.js";
import { contender } from "./who.js";

const DAY_MS = 86_400_000;
const FIRST = "benchmarks ledger verify";
/** @type {Record<string, [string, string]>} */
const STATES = {
  proven: ["good", "The chain is proven"],
  checking: ["live", "The proof is running"],
  damaged: ["bad", "The ledger is not sound"],
};
const CHAIN =
  "Each event holds the hash of the event before it. The server computes every hash again, in the background and after each change. `benchmarks ledger verify` does the same, and also compares the files of runs.";
/** @type {Record<string, string>} */
const KINDS = {
  retracted: "retracted",
  reinstated: "reinstated",
  annotated: "annotated",
  imported: "imported",
  merged: "merged",
  repaired: "repaired",
  set_aside: "set aside",
  equivalence_declared: "equivalence declared",
  equivalence_withdrawn: "equivalence withdrawn",
  samples_excluded: "samples excluded",
  rescored: "rescored",
};

/** @type {import("./routes.js").Show} */
export function show(main, { query }, context) {
  const { signal, ready, keep: keepAddress } = context;
  const place = h("div", {});
  const board = h("div", { class: "stack" });
  main.replaceChildren(
    h(
      "div",
      { class: "intro" },
      h("h1", {}, "Integrity"),
      h("p", {}, "Can these numbers be trusted?"),
      tip("How it is proven", CHAIN),
      h("a", { href: hash("/registrations") }, "Registered plans and published tables"),
    ),
    place,
  );
  const changes = h("div", {});
  const form = proofForm(signal);
  /** @type {any} */
  let data = null;

  function draw(/** @type {any} */ found) {
    data = found;
    if (!found.head.position) {
      place.replaceChildren(
        empty(
          "No events yet",
          "The ledger is empty: there is nothing to prove. Each run writes events into it.",
          FIRST,
        ),
      );
      return ready();
    }
    if (place.firstChild !== board) place.replaceChildren(board);
    const kind = query.get("type") ?? "";
    keep(board, [
      ["proof", [found, ledger.asOf], () => proof(found, form)],
      ["counts", found.counts, () => counts(found.counts)],
      ["changes", null, () => changesPanel(changes, query, changed)],
      ["events", [found.events, kind], () => eventsPanel(found, kind, chooseKind)],
      ["synthetic", found.synthetic, () => syntheticPanel(found)],
    ]);
    return ready();
  }

  function chooseKind(/** @type {string} */ kind) {
    if (kind) query.set("type", kind);
    else query.delete("type");
    keepAddress(query);
    draw(data);
  }

  async function changed(/** @type {string} */ since) {
    query.set("since", since);
    keepAddress(query, { replace: true });
    changes.replaceChildren(loading(3));
    try {
      const answer = await get("/api/changes", { query: { since }, signal });
      if (answer) changes.replaceChildren(changesOf(answer.value));
    } catch (problem) {
      if (!signal.aborted)
        changes.replaceChildren(
          failure("The changes cannot be shown", /** @type {Error} */ (problem).message, () => changed(since)),
        );
    }
  }

  const load = follow(place, { path: "/api/integrity", what: "The integrity", draw, signal });
  ledger.addEventListener("state", () => load(), { signal });
  if (query.get("since")) changed(/** @type {string} */ (query.get("since")));
}

/** @param {any} found @param {HTMLElement} form */
function proof({ state, proven, damage, problems, origin, first_at: first, checkpoint, witnesses, head }, form) {
  const [kind, text] = STATES[state];
  return h(
    "section",
    { class: `panel proof ${kind}` },
    h("p", { class: "line" }, h("span", { class: `dot ${kind}` }), h("strong", { class: "big" }, text)),
    damage && h("p", { class: "error" }, damage),
    problems.length > 0 &&
      h(
        "ul",
        { class: "plain error" },
        problems.map((/** @type {any} */ one) => h("li", {}, `event ${count(one.seq)}: ${one.problem}`)),
      ),
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        {},
        facts([
          ["events", `${count(Math.min(proven, head.position))} of ${count(head.position)} proven`],
          ["head", h("code", {}, head.hash)],
          ["from", `${moment(first)} to ${moment(head.at)}`],
          ["origin", h("code", {}, origin)],
          [
            "checkpoint",
            checkpoint
              ? [
                  `of the first ${count(checkpoint.size)} events, signed by ${checkpoint.signed_by.join(", ") || "no key"} `,
                  h("code", {}, checkpoint.root),
                ]
              : "no signed checkpoint is kept beside the ledger",
          ],
          ["witnesses", witnesses.join(", ") || "none"],
        ]),
      ),
      h(
        "div",
        {},
        h("p", { class: "soft" }, "Check it yourself, and keep a checkpoint in another place:"),
        command("benchmarks ledger verify"),
        command("benchmarks ledger checkpoint"),
        form,
      ),
    ),
  );
}

/** @param {Record<string, number>} numbers */
function counts(numbers) {
  const item = (/** @type {string} */ text, /** @type {string} */ name, /** @type {string} */ kind) =>
    h(
      "a",
      { class: "tile", href: runsLink({ kind }) },
      h("strong", {}, count(numbers[name] ?? 0)),
      h("span", { class: "soft" }, text),
    );
  return h(
    "div",
    { class: "panel tiles plain-tiles" },
    item("retracted", "retracted_runs", "retracted"),
    item("annotated", "annotated_runs", "annotated"),
    item("imported", "imported_runs", "imported"),
    item("synthetic", "synthetic_runs", "synthetic"),
    item("recovered", "recovered_runs", "recovered"),
    item("late", "late_runs", "late"),
  );
}

/** @param {any} found @param {string} kind @param {(kind: string) => void} choose */
function eventsPanel({ events, events_total: total, counts: numbers }, kind, choose) {
  const known = Object.keys(KINDS).filter((name) => numbers[name]);
  const shown = events.filter((/** @type {any} */ one) => !kind || one.type === kind);
  const tabs = h(
    "span",
    { class: "tabs", role: "group", "aria-label": "Type" },
    [["", `all ${count(total)}`], ...known.map((name) => [name, `${KINDS[name]} ${count(numbers[name])}`])].map(
      ([name, text]) =>
        h("button", { type: "button", "aria-pressed": String(kind === name), onclick: () => choose(name) }, text),
    ),
  );
  const columns = [
    {
      key: "at",
      title: "When",
      cell: (/** @type {any} */ one) => moment(one.at),
      value: (/** @type {any} */ one) => one.at,
    },
    {
      key: "type",
      title: "What",
      cell: (/** @type {any} */ one) => KINDS[one.type] ?? one.type,
      value: (/** @type {any} */ one) => one.type,
    },
    {
      key: "stream",
      title: "Run",
      cell: (/** @type {any} */ one) =>
        one.stream.startsWith("run_")
          ? h("a", { href: runLink(one.stream), class: "mono" }, one.stream)
          : one.type.startsWith("equivalence")
            ? h("a", { href: benchmarkLink(one.stream) }, one.stream)
            : one.stream,
      value: (/** @type {any} */ one) => one.stream,
    },
    {
      key: "author",
      title: "By",
      cell: (/** @type {any} */ one) => one.author,
      value: (/** @type {any} */ one) => one.author,
    },
    {
      key: "text",
      title: "Why",
      cell: (/** @type {any} */ one) => one.text,
      value: (/** @type {any} */ one) => one.text,
      kind: "words",
    },
    {
      key: "event",
      title: "Event",
      number: true,
      cell: (/** @type {any} */ one) =>
        h("span", { class: "mono", title: one.hash }, `#${count(one.seq)} ${one.hash.slice(0, 8)}`),
      value: (/** @type {any} */ one) => one.seq,
    },
    { key: "hash", title: "", cell: () => "", value: (/** @type {any} */ one) => one.hash },
  ];
  return panel(
    "Corrections, imports and merges",
    shown.length
      ? [tabs, dataTable({ caption: "Corrections, imports and merges", rows: shown, columns: columns.slice(0, -1) })]
      : h("p", { class: "soft" }, "Nothing was corrected, imported or merged."),
    shown.length ? exportMenu("integrity", () => ({ columns, rows: shown })) : "",
  );
}

/** @param {any} found */
function syntheticPanel({ synthetic, counts: numbers }) {
  if (!synthetic.length) return null;
  return panel(
    "Synthetic runs",
    h(
      "ul",
      { class: "plain" },
      synthetic.map((/** @type {any} */ run) =>
        h(
          "li",
          {},
          h("a", { href: runLink(run.run_id) }, run.benchmark_id),
          " ",
          contender(run),
          " ",
          h("span", { class: "soft" }, when(run.started_at)),
        ),
      ),
    ),
    h("span", { class: "soft" }, `${plural(numbers.synthetic_runs, "run")} of mocks and oracles: they count nowhere`),
  );
}

/** @param {HTMLElement} place @param {URLSearchParams} query @param {(since: string) => void} choose */
function changesPanel(place, query, choose) {
  const date = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "datetime-local",
      "aria-label": "Since, UTC",
      value: (query.get("since") ?? "").slice(0, 16),
      onchange: () => date.value && choose(`${date.value}:00Z`),
    })
  );
  const span = (/** @type {string} */ text, /** @type {number} */ days) =>
    h(
      "button",
      {
        type: "button",
        onclick: () => {
          const end = Date.parse(ledger.head?.at ?? "") || Date.now();
          const since = new Date(end - days * DAY_MS).toISOString().slice(0, 16);
          date.value = since;
          choose(`${since}:00Z`);
        },
      },
      text,
    );
  return panel(
    "What changed since",
    [place],
    h(
      "span",
      { class: "line" },
      span("a day ago", 1),
      span("a week ago", 7),
      span("28 days ago", 28),
      date,
      h("span", { class: "soft" }, "UTC"),
    ),
  );
}

/** @param {any} found */
function changesOf({ before, head, started, succeeded, failed, scores, events }) {
  const columns = [
    {
      key: "task",
      title: "Benchmark",
      cell: (/** @type {any} */ one) =>
        h(
          "a",
          { href: `${benchmarkLink(one.task.benchmark_id)}?task=${encodeURIComponent(one.task.comparison_key)}` },
          one.task.benchmark_id,
        ),
    },
    { key: "who", title: "Contender", cell: contender },
    {
      key: "before",
      title: "Before",
      number: true,
      cell: (/** @type {any} */ one) =>
        one.before === null ? "–" : h("a", { href: runLink(one.before_run_id) }, score(one.before)),
    },
    {
      key: "after",
      title: "After",
      number: true,
      cell: (/** @type {any} */ one) =>
        one.after === null ? "–" : h("a", { href: runLink(one.after_run_id) }, score(one.after)),
    },
    {
      key: "delta",
      title: "Difference",
      number: true,
      cell: (/** @type {any} */ one) =>
        one.before === null || one.after === null ? "" : signed(one.after - one.before),
    },
  ];
  return h(
    "div",
    { class: "stack" },
    h(
      "p",
      {},
      `From event ${count(before.position)} (${moment(before.at) || "the beginning"}) to event ${count(head.position)} (${moment(head.at)}): ${plural(started, "run")} started, ${count(succeeded)} succeeded, ${count(failed)} failed, ${plural(events.length, "correction or import")}.`,
    ),
    before.note && h("p", { class: "soft" }, `Since: ${before.note}.`),
    scores.length
      ? dataTable({ caption: "Scores of the leaderboard that changed", rows: scores, columns })
      : h("p", { class: "soft" }, "No score of the leaderboard changed."),
  );
}
