// SQL: one SELECT over the history. The result is a table, and a chart if it has a number.

import { benchmarkLink, hash, runLink, runsLink } from "./address.js";
import { ApiError, get, post } from "./api.js";
import { timeAxis } from "./axes.js";
import { chart } from "./chart.js";
import { exportMenu } from "./data-table.js";
import { announce, h } from "./dom.js";
import { count } from "./format.js";
import { empty, failure, loading } from "./states.js";

const ROWS = 1000;
const MAX_BARS = 50;
const NUMBERS = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*)$/;
const TIMES = /^(TIMESTAMP.*|DATE)$/;

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
  if (document.documentElement.hasAttribute("data-inside")) {
    main.replaceChildren(
      h("div", { class: "intro" }, h("h1", {}, "SQL")),
      empty(
        "Queries need the viewer's server",
        "This page is a file with its data inside, without a database. In the workspace, this command serves all pages:",
        "benchmarks serve-viewer",
      ),
    );
    return ready();
  }
  const editor = /** @type {HTMLTextAreaElement} */ (
    h("textarea", {
      id: "sql",
      rows: 6,
      spellcheck: "false",
      autocapitalize: "off",
      class: "mono",
      "aria-label": "SQL",
      placeholder: "SELECT benchmark_id, model, mean FROM leaderboard",
    })
  );
  const answer = h("div", { class: "answer-place", "aria-live": "polite" });
  const views = h("div", { class: "views" });
  const examples = h("div", { class: "examples" });
  const button = /** @type {HTMLButtonElement} */ (
    h("button", { type: "button", class: "primary", onclick: () => ask() }, "Run")
  );
  let turn = 0;

  main.replaceChildren(
    h(
      "div",
      { class: "intro" },
      h("h1", {}, "SQL"),
      h("p", {}, "One SELECT statement of DuckDB over the history. It is read-only, and cannot read other files."),
    ),
    h(
      "div",
      { class: "columns ask" },
      h(
        "div",
        {},
        h(
          "section",
          { class: "panel editor" },
          editor,
          h(
            "div",
            { class: "line" },
            button,
            h("span", { class: "soft" }, h("kbd", {}, "Ctrl"), " + ", h("kbd", {}, "Enter")),
            examples,
          ),
        ),
        answer,
      ),
      h("div", {}, h("section", { class: "panel" }, h("h2", {}, "Tables"), h("div", { class: "inside" }, views))),
    ),
  );
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      ask();
    }
  });

  async function ask({ isKept = false } = {}) {
    const sql = editor.value.trim();
    if (!sql) return;
    const mine = ++turn;
    const over = () => signal.aborted || mine !== turn;
    if (!isKept) keepAddress({ sql });
    button.disabled = true;
    answer.replaceChildren(loading());
    try {
      const result = await post("/api/query", { sql, limit: ROWS }, signal);
      if (!over()) drawAnswer(result);
    } catch (problem) {
      if (over()) return;
      answer.replaceChildren(
        failure(
          "Query failed",
          /** @type {Error} */ (problem).message,
          problem instanceof ApiError && problem.status === 400 ? null : ask,
        ),
      );
    } finally {
      if (!over()) button.disabled = false;
    }
  }

  function drawAnswer(/** @type {any} */ { columns, rows, truncated, seconds }) {
    announce(`${rows.length} rows`);
    const place = h("div", { hidden: true });
    const specs = chartsOf(columns, rows);
    const draw = h("button", { type: "button", "aria-expanded": "false", onclick: () => toggle() }, "Chart");
    const toggle = () => {
      place.hidden = !place.hidden;
      draw.setAttribute("aria-expanded", String(!place.hidden));
      if (!place.hidden && !place.firstChild)
        place.append(
          ...specs.map((spec) => {
            const lines = spec.data.values.map((/** @type {any} */ row) =>
              columns.map((/** @type {any} */ column) => row[escaped(column.name)]),
            );
            const names = columns.map((/** @type {any} */ column) => column.name);
            const run = names.indexOf("run_id");
            return chart(spec, {
              label: `${count(lines.length)} rows of the result as a chart`,
              signal,
              name: "result",
              points: lines.map((/** @type {any[]} */ line) => ({
                text: line.map((value, at) => `${names[at]} ${text(value)}`).join(", "),
                href: run < 0 ? null : runLink(line[run]),
              })),
              table: { names, lines },
            });
          }),
        );
    };
    answer.replaceChildren(
      h(
        "section",
        { class: "panel" },
        h(
          "h2",
          {},
          `${count(rows.length)}${truncated ? " or more" : ""} ${rows.length === 1 ? "row" : "rows"}`,
          h(
            "span",
            { class: "line" },
            h("span", { class: "soft" }, `${seconds.toFixed(2)} s`),
            specs.length > 0 && draw,
            exportMenu("result", () => ({
              columns: columns.map((/** @type {any} */ column, /** @type {number} */ at) => ({
                key: column.name,
                title: column.name,
                cell: () => "",
                value: (/** @type {any[]} */ row) => row[at],
              })),
              rows,
            })),
          ),
        ),
        h(
          "div",
          { class: "inside" },
          place,
          truncated &&
            h(
              "p",
              { class: "soft" },
              `The first ${count(rows.length)} rows; use LIMIT and OFFSET, or benchmarks query, for others.`,
            ),
          rows.length ? table(columns, rows) : h("p", { class: "soft" }, "No rows."),
        ),
      ),
    );
  }

  (async () => {
    try {
      const listed = await get("/api/query/views", { past: false, signal });
      if (!listed) return;
      views.replaceChildren(...listed.value.views.map(viewOf));
      examples.replaceChildren(
        h(
          "label",
          { class: "field" },
          h("span", { class: "visually-hidden" }, "Example"),
          exampleChoice(listed.value.examples),
        ),
      );
      if (!query.get("sql")) editor.value ||= listed.value.examples[0]?.sql ?? "";
    } catch (problem) {
      if (!signal.aborted)
        views.replaceChildren(
          failure("The tables cannot be listed", /** @type {Error} */ (problem).message, () => location.reload()),
        );
    }
    ready();
  })();

  function exampleChoice(/** @type {any[]} */ some) {
    const select = /** @type {HTMLSelectElement} */ (
      h(
        "select",
        { "aria-label": "Example", onchange: () => use() },
        h("option", { value: "" }, "Examples"),
        [
          ["Saved in queries/", "saved"],
          ["Examples", "example"],
        ].map(
          ([label, kind]) =>
            some.some((one) => one.kind === kind) &&
            h(
              "optgroup",
              { label },
              some.map((one, at) => one.kind === kind && h("option", { value: String(at) }, one.title)),
            ),
        ),
      )
    );
    const use = () => {
      const chosen = some[Number(select.value)];
      if (select.value === "" || !chosen) return;
      editor.value = chosen.sql;
      select.value = "";
      ask();
    };
    return select;
  }

  function viewOf(/** @type {any} */ view) {
    const insert = (/** @type {string} */ name) => {
      editor.setRangeText(name, editor.selectionStart, editor.selectionEnd, "end");
      editor.focus();
    };
    return h(
      "details",
      { class: "view" },
      h("summary", {}, h("strong", { class: "mono" }, view.name), " ", h("span", { class: "soft" }, view.about)),
      h(
        "ul",
        { class: "plain" },
        view.columns.map((/** @type {any} */ column) =>
          h(
            "li",
            {},
            h(
              "button",
              {
                type: "button",
                class: "quiet mono",
                title: `Insert ${column.name}`,
                onclick: () => insert(column.name),
              },
              column.name,
            ),
            h("span", { class: "soft type" }, column.type),
            h("span", {}, column.about),
          ),
        ),
      ),
    );
  }

  if (query.get("sql")) {
    editor.value = /** @type {string} */ (query.get("sql"));
    ask({ isKept: true });
  }
}

/** @param {{ name: string, type: string }[]} columns @param {any[][]} rows */
function table(columns, rows) {
  const numeric = columns.map((column) => NUMBERS.test(column.type));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Result" },
    h(
      "table",
      { class: "dense" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((column, at) =>
            h("th", { scope: "col", class: numeric[at] ? "number" : "", title: column.type }, column.name),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            row.map((value, at) => h("td", { class: numeric[at] ? "number" : "" }, cell(columns[at], value))),
          ),
        ),
      ),
    ),
  );
}

/** @param {{ name: string, type: string }} column @param {any} value */
function cell(column, value) {
  if (value === null) return h("span", { class: "soft" }, "—");
  if (typeof value === "string" && value) {
    if (column.name.endsWith("run_id")) return h("a", { href: runLink(value), class: "mono" }, value);
    if (column.name === "benchmark_id") return h("a", { href: benchmarkLink(value) }, value);
    if (column.name === "model" || column.name === "agent")
      return h("a", { href: runsLink({ [column.name]: value }) }, value);
    if (column.name === "run_group_id") return h("a", { href: hash(`/campaigns/${encodeURIComponent(value)}`) }, value);
  }
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return text(value);
}

const text = (/** @type {any} */ value) =>
  value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

/**
 * The charts of a result with a number: over time if it has a time, else bars by its columns of text. Scores of several
 * units get a chart each: they have no common axis. Each row is a mark of its own, and nothing is added up.
 *
 * @param {{ name: string, type: string }[]} columns @param {any[][]} rows @returns {any[]}
 */
export function chartsOf(columns, rows) {
  const unit = columns.findIndex((column) => column.name === "unit");
  const units = unit < 0 ? [] : [...new Set(rows.map((row) => row[unit]))];
  const parts = units.length > 1 ? units.map((one) => rows.filter((row) => row[unit] === one)) : [rows];
  return parts.map((some) => chartOf(columns, some)).filter(Boolean);
}

/** @param {{ name: string, type: string }[]} columns @param {any[][]} rows */
function chartOf(columns, rows) {
  const numbers = columns.filter((column) => NUMBERS.test(column.type));
  const times = columns.filter((column) => TIMES.test(column.type));
  const words = columns.filter((column) => !numbers.includes(column) && !times.includes(column));
  if (!numbers.length || !rows.length || (!times.length && !words.length && numbers.length < 2)) return null;
  const values = rows.map((row) => Object.fromEntries(columns.map((column, at) => [escaped(column.name), row[at]])));
  const field = (/** @type {{ name: string }} */ column) => ({ field: escaped(column.name), title: column.name });
  const tooltip = columns.slice(0, 8).map(field);
  // The last number is usually the result; the columns before it say of what.
  const y = { ...field(/** @type {any} */ (numbers.at(-1))), type: "quantitative", axis: { tickCount: 6 } };
  if (times.length) {
    const color =
      words[0] && new Set(rows.map((row) => row[columns.indexOf(words[0])])).size <= 6
        ? { color: { ...field(words[0]), type: "nominal" } }
        : {};
    const axis = timeAxis(values.map((value) => value[escaped(times[0].name)]).filter(Boolean));
    const x = {
      ...field(times[0]),
      type: "temporal",
      scale: { type: "utc", domain: axis.domain, nice: false },
      axis: { format: axis.format, values: axis.values, labelOverlap: true },
    };
    return {
      data: { values },
      height: 300,
      mark: { type: "line", point: true },
      encoding: { x, y: { ...y, scale: { zero: false } }, tooltip, ...color },
    };
  }
  if (words.length) return bars(columns, words, rows, values, y, tooltip);
  return {
    data: { values },
    height: 300,
    mark: { type: "point", filled: true },
    encoding: {
      x: { ...field(numbers[0]), type: "quantitative", scale: { zero: false }, axis: { tickCount: 6 } },
      y: { ...y, scale: { zero: false } },
      tooltip,
    },
  };
}

/** A bar for each row. Rows with the same words are numbered: a bar that adds them up would show a score that no run has. */
function bars(
  /** @type {{ name: string }[]} */ columns,
  /** @type {{ name: string }[]} */ words,
  /** @type {any[][]} */ rows,
  /** @type {Record<string, any>[]} */ values,
  /** @type {any} */ x,
  /** @type {any[]} */ tooltip,
) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  const labelled = rows.slice(0, MAX_BARS).map((row, at) => {
    const label = words.map((column) => text(row[columns.indexOf(column)])).join(" · ");
    const number = (seen.get(label) ?? 0) + 1;
    seen.set(label, number);
    return { ...values[at], _label: number > 1 ? `${label} (${number})` : label };
  });
  return {
    data: { values: labelled },
    height: 24 * labelled.length,
    mark: { type: "bar" },
    encoding: { y: { field: "_label", type: "nominal", title: null, sort: null }, x: { ...x, stack: null }, tooltip },
  };
}

/** A name without what Vega-Lite reads as a path. @param {string} name */
const escaped = (name) => name.replace(/[^\w ]/g, "_");
