// Which contender solves which sample of a benchmark: a row for each sample, the hardest first.

import { benchmarkLink, hash } from "./address.js";
import { get } from "./api.js";
import { BLOCK, Blocks } from "./blocks.js";
import { announce, h } from "./dom.js";
import { follow } from "./follow.js";
import { count, optionsText, plural, score, share } from "./format.js";
import { settled } from "./memory.js";
import { sampleLink, sampleName } from "./sample.js";
import { empty } from "./states.js";
import { VirtualRows } from "./virtual-rows.js";
import { visible } from "./visible.js";
import { shortModel } from "./who.js";

const TYPING_MS = 150;
const FEW = 9; // Up to this number of contenders, there is room for their names.
const STEPS = 9; // Shades of a score between the lowest and the highest.
/** @type {[string, string, string][]} */
const SHOWN = [
  ["all", "all", ""],
  ["never", "never solved", "No contender's newest run solves it."],
  ["different", "different", "Some solve it, and some do not."],
  ["flaky", "flaky", "Repeats of a contender do not agree."],
  ["errors", "with errors", "A contender ended in an error on it."],
  ["always", "always solved", "Every contender solves it."],
];
/** @type {[string, string][]} */
const SORTS = [
  ["hardest", "hardest first"],
  ["easiest", "easiest first"],
  ["id", "by name"],
  ["category", "by category"],
];

/** @type {import("./routes.js").Show} */
export function show(main, { id, query }, context) {
  const benchmark = /** @type {string} */ (id);
  const { signal } = context;
  const path = `/api/benchmarks/${encodeURIComponent(benchmark)}/samples`;
  const state = {
    task: query.get("task") ?? "",
    show: query.get("show") ?? "all",
    category: query.get("category") ?? "",
    sort: query.get("sort") ?? "hardest",
    q: query.get("q") ?? "",
  };
  const asked = () => ({
    task: state.task || null,
    show: state.show,
    category: state.category || null,
    sort: state.sort,
    q: state.q || null,
  });
  const blocks = new Blocks(
    async (offset) =>
      /** @type {any} */ (await get(path, { query: { ...asked(), offset, limit: BLOCK }, signal })).value,
  );
  /** @type {any} */
  let now = null;
  const place = h("div", {});
  const tools = h("div", { class: "table-tools" });
  const tabs = h("div", { class: "tabs", role: "group", "aria-label": "Which samples" });
  const headings = h("tr", {});
  const columns = h("colgroup");
  const body = /** @type {HTMLTableSectionElement} */ (h("tbody", { onkeydown: move }));
  const table = h(
    "table",
    { class: "heat" },
    h("caption", { class: "visually-hidden" }, "Samples by contender"),
    columns,
    h("thead", {}, headings),
    body,
  );
  const scroller = h(
    "div",
    { class: "tall heat-place", tabindex: "0", role: "region", "aria-label": "Samples by contender" },
    table,
  );
  const message = h("p", { class: "soft" });
  const legend = h("p", { class: "soft heat-legend" });
  const board = h(
    "section",
    { class: "panel wide" },
    h("div", { class: "inside" }, tabs, tools, legend, message, scroller),
  );
  const typed = settled(() => change({ q: search.value }), TYPING_MS);
  const search = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "search",
      placeholder: "Search ids",
      "aria-label": "Search ids",
      value: state.q,
      oninput: typed,
    })
  );
  main.replaceChildren(
    h(
      "div",
      { class: "intro" },
      h("h1", {}, "Samples of ", h("a", { href: benchmarkLink(benchmark) }, benchmark)),
      h("p", {}, "by contender"),
    ),
    place,
  );
  const rows = new VirtualRows(scroller, body, {
    row: (index) => blocks.row(index),
    name: (row) => row.id,
    make,
    blank: () =>
      h("tr", { class: "blank" }, h("td", { colspan: 3 + shownContenders().length }, h("span", { class: "waiting" }))),
    moved: fill,
  });
  signal.addEventListener("abort", () => rows.end());

  async function fill() {
    if (await blocks.fill(rows.inSight())) rows.draw();
  }

  const shownContenders = () =>
    (now?.contenders ?? [])
      .map((/** @type {any} */ one, /** @type {number} */ at) => ({ ...one, at }))
      .filter((/** @type {any} */ one) => one.repeats);

  async function draw(/** @type {any} */ answer) {
    now = answer;
    state.task = answer.task;
    const there = shownContenders();
    if (!there.length) {
      const why = answer.contenders.flatMap((/** @type {any} */ one) => one.problems);
      place.replaceChildren(
        empty(
          "No samples",
          why.length
            ? why.join("; ")
            : "No run of this benchmark with a score has recorded its samples in samples.jsonl.",
        ),
      );
      return context.ready();
    }
    if (place.firstChild !== board) place.replaceChildren(board);
    await blocks.renew();
    drawTools(answer);
    columns.replaceChildren(
      h("col", { class: "first" }),
      h("col", { class: "text" }),
      h("col", { class: "hard" }),
      ...there.map(() => h("col", { class: "cell" })),
    );
    headings.replaceChildren(
      h("th", { scope: "col" }, "Sample"),
      h("th", { scope: "col" }, "Category"),
      h("th", { scope: "col", class: "number" }, now.is_binary ? "Solved" : "Mean"),
      ...there.map((/** @type {any} */ one) =>
        h(
          "th",
          { scope: "col", class: "contender", title: one.name },
          h(
            "a",
            {
              href: hash("/compare", {
                of: there
                  .filter((/** @type {any} */ other) => other !== one)
                  .slice(0, 1)
                  .concat(one)
                  .map((/** @type {any} */ other) => `run:${other.run_id}`),
              }),
            },
            h("span", {}, shortModel(one.model), h("span", { class: "soft" }, ` ${one.agent}`)),
            h("span", { class: "soft value" }, score(one.score)),
          ),
        ),
      ),
    );
    table.classList.toggle("few", there.length <= FEW);
    table.classList.toggle("no-category", Object.keys(answer.categories).join("") === "");
    rows.count = blocks.total;
    table.setAttribute("aria-rowcount", String(blocks.total + 1));
    rows.forget();
    rows.draw();
    const notes = [
      ...answer.notes,
      ...answer.contenders.flatMap((/** @type {any} */ one) =>
        one.problems.map((/** @type {string} */ problem) => `${one.name}: ${problem}`),
      ),
    ];
    message.textContent = visible(
      [blocks.total ? "" : "No samples match.", notes.join("; ")].filter(Boolean).join(" "),
    );
    message.hidden = !message.textContent;
    scroller.hidden = !blocks.total;
    announce(plural(blocks.total, "sample"));
    return context.ready();
  }

  /** @param {any} answer */
  function drawTools({ counts, categories, tasks, is_binary: binary, low, high }) {
    tabs.replaceChildren(
      ...SHOWN.filter(([name]) => name === "all" || counts[name] || name === state.show).map(([name, text, why]) =>
        h(
          "button",
          {
            type: "button",
            title: why || null,
            "aria-pressed": String(name === state.show),
            onclick: () => change({ show: name }),
          },
          text,
          " ",
          h("span", { class: "count" }, count(counts[name])),
        ),
      ),
    );
    const names = Object.entries(categories ?? {});
    const select = (
      /** @type {string} */ label,
      /** @type {[string, string][]} */ choices,
      /** @type {"task" | "category" | "sort"} */ name,
    ) =>
      h(
        "select",
        { "aria-label": label, onchange: (/** @type {any} */ event) => change({ [name]: event.target.value }) },
        choices.map(([value, text]) => h("option", { value, selected: value === state[name] }, text)),
      );
    tools.replaceChildren(
      search,
      tasks.length > 1
        ? select(
            "Options",
            tasks.map((/** @type {any} */ one) => [
              one.comparison_key,
              `${optionsText(one.options) || "default"} (${plural(one.runs, "run")})`,
            ]),
            "task",
          )
        : "",
      names.length > 1
        ? select(
            "Category",
            [
              ["", "any category"],
              ...names.map(
                ([name, many]) =>
                  /** @type {[string, string]} */ ([name, `${name || "(none)"} (${count(Number(many))})`]),
              ),
            ],
            "category",
          )
        : "",
      select("Order", SORTS, "sort"),
    );
    legend.replaceChildren(
      ...(binary
        ? [key("yes", "✓", "solved"), key("no", "✕", "not solved")]
        : [key("tone-0", "", score(low)), key(`tone-${STEPS - 1}`, "", score(high))]),
      key("err", "!", "error"),
      key("flaky", "~", "flaky: repeats do not agree"),
      " · a cell opens the answers side by side",
    );
  }

  const key = (/** @type {string} */ kind, /** @type {string} */ text, /** @type {string} */ name) =>
    h("span", {}, h("i", { class: `heat-cell ${kind}` }, text), ` ${name}`);

  /** @param {Partial<typeof state>} next */
  function change(next) {
    Object.assign(state, next);
    if (next.task) Object.assign(state, { category: "" });
    context.keep(
      {
        task: state.task || null,
        show: state.show === "all" ? null : state.show,
        category: state.category || null,
        sort: state.sort === "hardest" ? null : state.sort,
        q: state.q || null,
      },
      { replace: true },
    );
    scroller.scrollTop = 0;
    return load({ fresh: true });
  }

  /** @param {any} row */
  function make(row) {
    const there = shownContenders();
    return h(
      "tr",
      {},
      h(
        "th",
        { scope: "row", class: "first", title: row.id },
        h("a", { class: "mono", href: opened(row, there[0]) }, sampleName(row)),
      ),
      h("td", { class: "soft" }, row.category),
      h(
        "td",
        { class: "number" },
        row.difficulty === null ? "" : now.is_binary ? share(row.difficulty, 1) : score(row.difficulty),
      ),
      there.map((/** @type {any} */ one) => h("td", { class: "cell" }, cell(row, one))),
    );
  }

  /** @param {any} row @param {any} one */
  function cell(row, one) {
    const found = row.cells[one.at];
    if (!found)
      return h("span", { class: "heat-cell none" }, h("span", { class: "visually-hidden" }, "not in this run"));
    const [kind, text, word] = found.is_error
      ? ["err", "!", "error"]
      : now.is_binary
        ? found.score === best()
          ? ["yes", "✓", "solved"]
          : ["no", "✕", "not solved"]
        : [`tone-${shade(found.score)}`, "", score(found.score)];
    const repeats = found.repeats > 1 ? `, ${found.solved} of ${found.repeats} runs` : "";
    return h(
      "a",
      {
        class: `heat-cell ${kind} ${found.flaky ? "flaky" : ""}`.trim(),
        href: opened(row, one),
        tabindex: "-1",
        title: `${one.name}: ${word}${repeats}${found.flaky ? ", flaky" : ""}`,
      },
      text,
      found.flaky ? h("sup", { "aria-hidden": "true" }, "~") : "",
      h("span", { class: "visually-hidden" }, `${word}${repeats}${found.flaky ? ", flaky" : ""}`),
    );
  }

  /** The score that solves a sample. */
  const best = () => (now.higher_is_better ? now.high : now.low);

  /** @param {number} value */
  function shade(value) {
    const part = (value - now.low) / (now.high - now.low || 1);
    return Math.round((now.higher_is_better ? part : 1 - part) * (STEPS - 1));
  }

  /** The answer of a contender beside one that came to something else, or the sample alone. @param {any} row @param {any} one */
  function opened(row, one) {
    const mine = row.cells[one.at];
    const there = shownContenders().filter((/** @type {any} */ other) => other.at !== one.at && row.cells[other.at]);
    const other = there.find((/** @type {any} */ some) => row.cells[some.at].score !== mine?.score) ?? there[0];
    if (!mine) return other ? sampleLink(other.run_id, { id: row.id, line: null }) : "#/";
    if (!other) return sampleLink(one.run_id, { id: row.id, line: null });
    return hash("/compare/sample", { a: one.run_id, b: other.run_id, id: row.id });
  }

  /** Arrow keys lead from cell to cell. @param {KeyboardEvent} event */
  function move(event) {
    const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[
      event.key
    ] ?? [0, 0];
    const cellNow = /** @type {HTMLElement} */ (event.target).closest("td, th");
    if ((!down && !right) || !cellNow) return;
    const line = /** @type {HTMLTableRowElement} */ (cellNow.parentElement);
    const links = [...line.querySelectorAll("a")];
    const at = links.indexOf(/** @type {HTMLAnchorElement} */ (cellNow.querySelector("a")));
    const next = down
      ? /** @type {HTMLElement | null} */ (down > 0 ? line.nextElementSibling : line.previousElementSibling)
      : line;
    const target = next?.querySelectorAll("a")[right ? at + right : at];
    if (!target) return;
    event.preventDefault();
    target.focus();
  }

  const load = follow(place, { path, query: () => ({ ...asked(), limit: 1 }), what: "The samples", draw, signal });
}
