// A table of data: headings that sort, cells, and its content as CSV, JSON or Markdown.

import { announce, h } from "./dom.js";
import { explained, tip } from "./tip.js";

/**
 * @typedef {object} Column
 * @property {string} key names it in addresses and files
 * @property {any} title
 * @property {(row: any) => any} cell what a reader sees
 * @property {(row: any) => any} [value] what is sorted and exported; a column without it does neither
 * @property {boolean} [number]
 * @property {string} [about] explains the heading
 * @property {any} [below] stands under the heading
 * @property {string} [kind] a class for its cells
 */

/**
 * @param {object} how
 * @param {string} how.caption
 * @param {Column[]} how.columns
 * @param {any[]} how.rows
 * @param {string} [how.kind] a class for the table
 * @param {string | null} [how.sort] the key of the column that it is sorted by; - before it for descending
 * @param {(sort: string) => void} [how.sortBy] if headings sort
 * @param {(row: any, index: number) => string | null} [how.rowKind] a class for a row
 * @param {(row: any) => string} [how.runOf] the id of the run that a row is about
 */
export function dataTable({ caption, columns, rows, kind = "", sort = null, sortBy, rowKind, runOf }) {
  const heading = (/** @type {Column} */ column) => {
    const isSorted = sort?.replace(/^-/, "") === column.key;
    const name =
      sortBy && column.value
        ? explained(
            h(
              "button",
              { type: "button", "data-sort": column.key, onclick: () => sortBy(turned(column, sort)) },
              column.title,
              isSorted && h("span", { class: "arrow", "aria-hidden": "true" }, sort?.startsWith("-") ? "↓" : "↑"),
            ),
            column.about,
          )
        : column.about
          ? tip(column.title, column.about)
          : h("span", {}, column.title);
    return h(
      "th",
      {
        scope: "col",
        class: `${column.number ? "number " : ""}${column.kind ?? ""}`.trim() || null,
        "aria-sort": isSorted ? (sort?.startsWith("-") ? "descending" : "ascending") : null,
      },
      name,
      column.below && h("div", { class: "below soft" }, column.below),
    );
  };
  const body = sorted(rows, columns, sort).map((row, index) =>
    h(
      "tr",
      { class: rowKind?.(row, index), "data-run": runOf?.(row) },
      columns.map((column, at) => {
        const name = at === 0 ? "th" : "td";
        const about = { class: `${column.number ? "number " : ""}${column.kind ?? ""}`.trim() || null };
        return h(
          name,
          at === 0 ? { scope: "row", ...about } : { "data-label": column.title, ...about },
          column.cell(row),
        );
      }),
    ),
  );
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      { class: `dense ${kind === "leaderboard" ? kind : `cards ${kind}`.trim()}` },
      h("caption", { class: "visually-hidden" }, caption),
      h("thead", {}, h("tr", {}, columns.map(heading))),
      h("tbody", {}, body),
    ),
  );
}

/** Largest first for numbers, A to Z for words; then the other way round. @param {Column} column @param {string | null} sort */
const turned = ({ key, number }, sort) =>
  sort === `-${key}` ? key : sort === key ? `-${key}` : number ? `-${key}` : key;

/** Missing values come last. @param {any[]} rows @param {Column[]} columns @param {string | null} sort */
export function sorted(rows, columns, sort) {
  const column = columns.find(({ key }) => key === sort?.replace(/^-/, ""));
  if (!sort || !column?.value) return rows;
  const { value } = column;
  const turn = sort.startsWith("-") ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [value(one) ?? null, value(other) ?? null];
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    return (a < b ? -1 : a > b ? 1 : 0) * turn;
  });
}

/** A menu that saves a table. @param {string} name of the file @param {() => { columns: Column[], rows: any[] }} content */
export function exportMenu(name, content) {
  const data = () => {
    const { columns, rows } = content();
    const kept = columns.filter((column) => column.value);
    return { names: kept.map((column) => column.key), lines: rows.map((row) => kept.map((one) => one.value?.(row))) };
  };
  const button = (/** @type {string} */ text, /** @type {() => void} */ act) =>
    h("button", { type: "button", class: "quiet", onclick: act }, text);
  const json = () => {
    const { names, lines } = data();
    return JSON.stringify(
      lines.map((line) => Object.fromEntries(names.map((key, at) => [key, line[at] ?? null]))),
      null,
      1,
    );
  };
  return h(
    "details",
    { class: "menu right export" },
    h("summary", {}, "Export"),
    h(
      "div",
      { class: "sheet" },
      button("CSV", () => save(`${name}.csv`, csv(data()), "text/csv")),
      button("JSON", () => save(`${name}.json`, json(), "application/json")),
      button("Markdown", () => save(`${name}.md`, markdown(data()), "text/markdown")),
      button("Copy Markdown", () => copy(markdown(data()))),
    ),
  );
}

/** @typedef {{ names: string[], lines: any[][] }} Data */

const plain = (/** @type {any} */ value) =>
  value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

/** @param {Data} data */
export function csv({ names, lines }) {
  const quoted = (/** @type {any} */ value) => {
    const text = plain(value);
    // A spreadsheet would take these for a formula.
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [names, ...lines].map((line) => `${line.map(quoted).join(",")}\n`).join("");
}

/** @param {Data} data */
export function markdown({ names, lines }) {
  const row = (/** @type {any[]} */ line) =>
    `| ${line.map((value) => plain(value).replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |\n`;
  return row(names) + row(names.map(() => "---")) + lines.map(row).join("");
}

/** @param {string} name @param {string | Blob} content @param {string} type */
export function save(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce("Copied");
  } catch {
    announce("The browser does not allow copying");
  }
}

/** A command with a button that copies it. @param {string} text */
export const command = (text) =>
  h(
    "span",
    { class: "command" },
    h("code", {}, text),
    h("button", { type: "button", class: "quiet", "aria-label": `Copy ${text}`, onclick: () => copy(text) }, "Copy"),
  );
