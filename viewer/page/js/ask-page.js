// Ask: one SELECT over the history, its answer as a table and, with one click, as a chart.

import { runLink } from "./address.js";
import { get, post } from "./api.js";
import { chart } from "./chart.js";
import { announce, h } from "./dom.js";
import { count } from "./format.js";
import { failure, loading } from "./states.js";

const ROWS = 1000;
const MOST_BARS = 50;
const NUMBERS = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*)$/;
const TIMES = /^(TIMESTAMP.*|DATE)$/;

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
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
    h("button", { type: "button", class: "primary", onclick: () => ask() }, "Ask")
  );
  let turn = 0;

  main.replaceChildren(
    h(
      "div",
      { class: "intro" },
      h("h1", {}, "Ask"),
      h("p", {}, "One SELECT of DuckDB's SQL over the history. It can read nothing else, and changes nothing."),
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
      h(
        "div",
        {},
        h("section", { class: "panel" }, h("h2", {}, "What there is"), h("div", { class: "inside" }, views)),
      ),
    ),
  );
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      ask();
    }
  });

  async function ask({ kept = false } = {}) {
    const sql = editor.value.trim();
    if (!sql) return;
    const mine = ++turn;
    const over = () => signal.aborted || mine !== turn;
    if (!kept) keepAddress({ sql });
    button.disabled = true;
    answer.replaceChildren(loading());
    try {
      const told = await post("/api/query", { sql, limit: ROWS }, signal);
      if (!over()) drawAnswer(told);
    } catch (problem) {
      if (over()) return;
      answer.replaceChildren(
        failure("The question has no answer", /** @type {Error} */ (problem).message, () => ask()),
      );
    } finally {
      if (!over()) button.disabled = false;
    }
  }

  function drawAnswer(/** @type {any} */ told) {
    const { columns, rows, truncated, seconds } = told;
    announce(`${rows.length} rows`);
    const place = h("div", { hidden: true });
    const spec = chartOf(columns, rows);
    const draw = h("button", { type: "button", "aria-expanded": "false", onclick: () => toggle() }, "Chart");
    const toggle = () => {
      place.hidden = !place.hidden;
      draw.setAttribute("aria-expanded", String(!place.hidden));
      if (!place.hidden && !place.firstChild)
        place.append(
          chart(/** @type {any} */ (spec), { label: "The answer as a chart; the table says the same", signal }),
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
            spec && draw,
            h("button", { type: "button", onclick: () => download(columns, rows) }, "CSV"),
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
              `Only the first ${count(rows.length)} are shown; LIMIT or benchmarks query gets others.`,
            ),
          rows.length ? table(columns, rows) : h("p", { class: "soft" }, "No rows."),
        ),
      ),
    );
  }

  (async () => {
    try {
      const told = await get("/api/query/views", { past: false, signal });
      if (!told) return;
      views.replaceChildren(...told.value.views.map(viewOf));
      examples.replaceChildren(
        h(
          "label",
          { class: "field" },
          h("span", { class: "visually-hidden" }, "An example"),
          exampleChoice(told.value.examples),
        ),
      );
      if (!query.get("sql")) editor.value ||= told.value.examples[0]?.sql ?? "";
    } catch (problem) {
      if (!signal.aborted)
        views.replaceChildren(
          failure("The views cannot be listed", /** @type {Error} */ (problem).message, () => location.reload()),
        );
    }
    ready();
  })();

  function exampleChoice(/** @type {any[]} */ some) {
    const select = /** @type {HTMLSelectElement} */ (
      h(
        "select",
        { "aria-label": "An example", onchange: () => use() },
        h("option", { value: "" }, "Examples"),
        some.map((one, at) => h("option", { value: String(at) }, one.title)),
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
                title: `Write ${column.name} into the question`,
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
    ask({ kept: true });
  }
}

/** @param {{ name: string, type: string }[]} columns @param {any[][]} rows */
function table(columns, rows) {
  const numeric = columns.map((column) => NUMBERS.test(column.type));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "The answer" },
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
  if (column.name.endsWith("run_id") && typeof value === "string")
    return h("a", { href: runLink(value), class: "mono" }, value);
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return text(value);
}

const text = (/** @type {any} */ value) =>
  value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

/**
 * A chart for an answer with a number: over time where there is a time, else bars by the first column of words.
 *
 * @param {{ name: string, type: string }[]} columns @param {any[][]} rows
 */
function chartOf(columns, rows) {
  const numbers = columns.filter((column) => NUMBERS.test(column.type));
  const times = columns.filter((column) => TIMES.test(column.type));
  const words = columns.filter((column) => !numbers.includes(column) && !times.includes(column));
  if (!numbers.length || !rows.length || (!times.length && !words.length && numbers.length < 2)) return null;
  const values = rows.map((row) => Object.fromEntries(columns.map((column, at) => [escaped(column.name), row[at]])));
  const field = (/** @type {{ name: string }} */ column) => ({ field: escaped(column.name), title: column.name });
  const tooltip = columns.slice(0, 8).map(field);
  // The last number is mostly what was reckoned; what stands before it says of what.
  const y = { ...field(/** @type {any} */ (numbers.at(-1))), type: "quantitative" };
  if (times.length) {
    const color =
      words[0] && new Set(rows.map((row) => row[columns.indexOf(words[0])])).size <= 6
        ? { color: { ...field(words[0]), type: "nominal" } }
        : {};
    return {
      data: { values },
      height: 300,
      mark: { type: "line", point: true },
      encoding: { x: { ...field(times[0]), type: "temporal" }, y: { ...y, scale: { zero: false } }, tooltip, ...color },
    };
  }
  if (words.length) {
    const label = words.map((column) => `datum['${escaped(column.name)}']`).join(" + ' · ' + ");
    const bars = values.slice(0, MOST_BARS);
    return {
      data: { values: bars },
      transform: [{ calculate: label, as: "_who" }],
      height: 24 * new Set(bars.map((bar) => JSON.stringify(words.map((column) => bar[escaped(column.name)])))).size,
      mark: { type: "bar" },
      encoding: { y: { field: "_who", type: "nominal", title: null, sort: null }, x: y, tooltip },
    };
  }
  return {
    data: { values },
    height: 300,
    mark: { type: "point", filled: true },
    encoding: {
      x: { ...field(numbers[0]), type: "quantitative", scale: { zero: false } },
      y: { ...y, scale: { zero: false } },
      tooltip,
    },
  };
}

/** A name without what Vega-Lite reads as a path. @param {string} name */
const escaped = (name) => name.replace(/[^\w ]/g, "_");

/** @param {{ name: string }[]} columns @param {any[][]} rows */
function download(columns, rows) {
  const quoted = (/** @type {any} */ value) => {
    const plain = text(value);
    // A spreadsheet would take these for a formula.
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [columns.map((column) => quoted(column.name)), ...rows.map((row) => row.map(quoted))].map((row) =>
    row.join(","),
  );
  const link = /** @type {HTMLAnchorElement} */ (
    h("a", {
      href: URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" })),
      download: "answer.csv",
    })
  );
  link.click();
  URL.revokeObjectURL(link.href);
}
