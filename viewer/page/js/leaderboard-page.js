// The leaderboard: a row for each contender, a column for each benchmark; or score against cost or time.

import { hash } from "./address.js";
import { dataTable, exportMenu, sorted } from "./data-table.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { optionsText, plural } from "./format.js";
import { columnsOf, figuresOf } from "./leaderboard-columns.js";
import { scatter } from "./leaderboard-scatter.js";
import { empty } from "./states.js";
import { tip } from "./tip.js";
import { contender, contenderSpec, contenderText, shortModel, taskText } from "./who.js";

/** @typedef {import("./data-table.js").Column} Column */

const RUNS = [
  ["newest", "Newest campaign"],
  ["repeats", "Newest with repeats"],
];
const VIEWS = [
  ["table", "Table"],
  ["cost", "Score × cost"],
  ["time", "Score × time"],
];
const DOUBTFUL = ["imported", "synthetic", "late", "retracted", "reproduction"];
const METHOD =
  "A score is the mean of the repeats of one campaign: the newest one, or the newest that has several repeats. Campaigns are never mixed. Bold: the best, or tied with the best (p ≥ 0.05 after Holm's correction over the contenders of the benchmark; sample by sample if both have samples). The bar is the 95% interval on the scale of its column.";

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
  const summary = h("p", {});
  const controls = h("div", { class: "controls line" });
  const place = h("div", {});
  const board = h("div", { class: "stack" });
  const actions = h("div", { class: "action-bar", hidden: true });
  main.replaceChildren(
    h("div", { class: "intro" }, h("h1", {}, "Leaderboard"), summary, tip("How to read it", METHOD)),
    controls,
    place,
    actions,
  );
  /** @type {any} */
  let data = null;
  /** @type {Set<string>} */
  const ticked = new Set();
  const chosen = (/** @type {string} */ name, /** @type {string[][]} */ known) =>
    known.some(([value]) => value === query.get(name)) ? /** @type {string} */ (query.get(name)) : known[0][0];

  function set(/** @type {string} */ name, /** @type {string | string[] | null} */ value, load = false) {
    query.delete(name);
    for (const one of [value ?? []].flat()) query.append(name, one);
    keepAddress(query);
    if (load) again({ fresh: true });
    else if (data) draw(data);
  }

  /** @param {string} name @param {string} label @param {string[][]} known @param {boolean} [load] */
  const tabs = (name, label, known, load = false) =>
    h(
      "span",
      { class: "tabs", role: "group", "aria-label": label },
      known.map(([value, text]) =>
        h(
          "button",
          {
            type: "button",
            "aria-pressed": String(chosen(name, known) === value),
            onclick: () => set(name, value === known[0][0] ? null : value, load),
          },
          text,
        ),
      ),
    );

  /** A menu of boxes: those that are not ticked are in the address. @param {string} name @param {string} title @param {[string, string][]} all @param {boolean} [inverted] */
  function boxes(name, title, all, inverted = true) {
    const off = query.getAll(name);
    const choice = (/** @type {[string, string]} */ [value, text]) => {
      const toggle = () => {
        const now = query.getAll(name);
        set(name, now.includes(value) ? now.filter((one) => one !== value) : [...now, value], !inverted);
      };
      return h(
        "label",
        {},
        h("input", { type: "checkbox", checked: off.includes(value) !== inverted, onchange: toggle }),
        h("span", { class: "value" }, text),
      );
    };
    return h(
      "details",
      { class: `menu ${off.length ? "set" : ""}`, "data-menu": name },
      h("summary", {}, title),
      h("div", { class: "sheet" }, all.map(choice)),
    );
  }

  function draw(/** @type {any} */ answer) {
    data = answer;
    const { tasks, contenders } = answer;
    if (!contenders.length) {
      controls.replaceChildren();
      place.replaceChildren(
        empty("No scores yet", "Successful runs appear here. List what can be run:", "benchmarks list-benchmarks"),
      );
      return ready();
    }
    const view = chosen("view", VIEWS);
    const columns = columnsOf(answer);
    const hidden = new Set(query.getAll("hide"));
    const without = new Set(query.getAll("without"));
    const shownColumns = columns.filter(({ key }) => !hidden.has(key));
    const rows = grouped(contenders.filter((/** @type {any} */ one) => !without.has(contenderText(one))));
    const sort = query.get("sort");
    summary.textContent = `${plural(contenders.length, "contender")} on ${plural(tasks.length, "task")}`;
    const open = controls.querySelector("details[open]")?.getAttribute("data-menu");
    controls.replaceChildren(
      tabs("view", "View", VIEWS),
      tabs("runs", "What stands for a contender", RUNS, true),
      view === "table"
        ? boxes(
            "hide",
            "Columns",
            columns.slice(1).map((one) => [one.key, one.about ?? one.key]),
          )
        : "",
      boxes(
        "without",
        "Rows",
        grouped(contenders).map((one) => [contenderText(one), contenderText(one)]),
      ),
      boxes(
        "include",
        "Also count",
        DOUBTFUL.map((name) => [name, `${name} runs`]),
        false,
      ),
      view === "table"
        ? exportMenu("leaderboard", () => ({
            columns: [...columns.slice(0, 1), ...figuresOf(answer, hidden)],
            rows: sorted(rows, columns, sort),
          }))
        : "",
    );
    if (open) controls.querySelector(`[data-menu="${open}"]`)?.setAttribute("open", "");
    if (place.firstChild !== board) place.replaceChildren(board);
    keep(board, [
      view === "table"
        ? ["table", [answer, sort, [...hidden], [...without]], () => table(shownColumns, rows, sort)]
        : ["scatter", [answer, view, query.get("task"), [...without]], () => chartPanel(view, answer, rows)],
    ]);
    return ready();
  }

  function table(/** @type {Column[]} */ columns, /** @type {any[]} */ rows, /** @type {string | null} */ sort) {
    const tick = (/** @type {any} */ one) =>
      h("input", {
        type: "checkbox",
        "aria-label": `Select ${contenderText(one)}`,
        checked: ticked.has(contenderSpec(one)),
        onchange: (/** @type {any} */ event) => {
          if (event.target.checked) ticked.add(contenderSpec(one));
          else ticked.delete(contenderSpec(one));
          drawActions();
        },
      });
    const [first, ...others] = columns;
    const name = {
      ...first,
      cell: (/** @type {any} */ one) => h("span", { class: "who" }, tick(one), contender(one)),
    };
    return h(
      "div",
      { class: "panel board" },
      dataTable({
        caption: "Leaderboard",
        kind: "leaderboard",
        columns: [name, ...others],
        rows,
        sort,
        sortBy: (next) => set("sort", next),
        rowKind: (one, at) => (!sort && at && rows[at - 1].model !== one.model ? "next" : null),
      }),
    );
  }

  function drawActions() {
    const specs = [...ticked];
    actions.hidden = !specs.length;
    actions.replaceChildren(
      h("span", {}, `${specs.length} selected`),
      specs.length > 1 && specs.length <= 6
        ? h("a", { class: "button primary", href: hash("/compare", { of: specs }) }, "Compare")
        : h("span", { class: "soft" }, specs.length > 6 ? "at most 6 can be compared" : "select one more to compare"),
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          onclick: () => {
            ticked.clear();
            for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (place.querySelectorAll("tbody input")))
              box.checked = false;
            drawActions();
          },
        },
        "Clear",
      ),
    );
  }

  function chartPanel(/** @type {string} */ view, /** @type {any} */ answer, /** @type {any[]} */ rows) {
    const names = answer.tasks.map(taskText);
    const asked = query.get("task");
    const task = asked === "rank" ? -1 : Math.max(0, names.indexOf(asked ?? ""));
    const select = h(
      "select",
      { "aria-label": "Score of", onchange: (/** @type {any} */ event) => set("task", event.target.value) },
      names.map((/** @type {string} */ name, /** @type {number} */ at) =>
        h("option", { value: name, selected: at === task }, titleOf(answer.tasks[at])),
      ),
      h("option", { value: "rank", selected: task < 0 }, "mean rank over the tasks of each"),
    );
    return h(
      "section",
      { class: "panel" },
      h("h2", {}, view === "cost" ? "Score and cost" : "Score and time", h("label", { class: "field" }, select)),
      h("div", { class: "inside" }, scatter({ answer, rows, task, view, signal })),
    );
  }

  const again = follow(place, {
    path: "/api/board",
    query: () => ({
      runs: chosen("runs", RUNS) === "newest" ? null : "repeats",
      include: query.getAll("include").filter((name) => DOUBTFUL.includes(name)),
    }),
    what: "The leaderboard",
    draw,
    signal,
    concerns: ({ runs }) => runs.some((run) => run.status !== "running"),
  });
}

/** @param {any} one a task */
const titleOf = (one) => [one.name || one.task.benchmark_id, optionsText(one.options)].filter(Boolean).join(" ");

/** The contenders of one model together, the best model first. @param {any[]} contenders */
function grouped(contenders) {
  /** @type {Map<string, any[]>} */
  const models = new Map();
  for (const one of contenders) {
    const name = `${one.provider}:${shortModel(one.model)}`;
    models.set(name, [...(models.get(name) ?? []), one]);
  }
  const sum = (/** @type {any[]} */ some, /** @type {string} */ key) => some.reduce((all, one) => all + one[key], 0);
  return [...models.values()]
    .sort((a, b) => sum(b, "tied") - sum(a, "tied") || sum(a, "mean_rank") / a.length - sum(b, "mean_rank") / b.length)
    .flat();
}
