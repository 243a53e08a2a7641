// What every chart has around it: its marks in words, reached by key, the same as a table, and its files.

import { csv, save } from "./data-table.js";
import { h } from "./dom.js";

/** @typedef {{ text: string, href: string | null, mark?: Element }} Point a mark in words */
/** @typedef {{ names: string[], lines: any[][] }} Table */

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const DRAWN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity"];
const SCALE = 2; // Pixels of a picture for each of the page.

/**
 * @param {Element} inside the drawing
 * @param {object} about
 * @param {string} about.label what it shows, in words
 * @param {(kind: "png" | "svg") => Promise<string | Blob | null>} about.picture the drawing as a file
 * @param {Point[]} [about.points] reached with the arrow keys
 * @param {Table} [about.table] the same as a table
 * @param {string} [about.name] the name of its files
 * @param {Element} [about.before] stands left of the drawing
 * @param {Element} [about.after] stands below it
 * @param {string} [about.kind] a class for the figure
 * @returns {HTMLElement}
 */
export function chartFrame(inside, { label, picture, points = [], table, name = "chart", before, after, kind = "" }) {
  const canvas = h(
    "div",
    { class: "canvas", role: "img", "aria-label": label, tabindex: points.length ? 0 : null },
    inside,
  );
  const said = h("p", { class: "point soft", role: "status" });
  const rows = h("div", { hidden: true });
  let at = -1;
  const go = (/** @type {number} */ to) => {
    points[at]?.mark?.classList.remove("now");
    at = to;
    points[at]?.mark?.classList.add("now");
    said.textContent = at < 0 ? "" : `${at + 1} of ${points.length}: ${points[at].text}`;
  };
  canvas.addEventListener("keydown", (event) => {
    const by = STEPS[/** @type {keyof STEPS} */ (event.key)];
    if (by && points.length) {
      event.preventDefault();
      go(at < 0 && by < 0 ? points.length - 1 : (at + by + points.length) % points.length);
    } else if (event.key === "Enter" && points[at]?.href) location.hash = points[at].href ?? "";
  });
  canvas.addEventListener("focus", () => {
    if (at < 0 && points.length) said.textContent = "Arrow keys go from point to point, Enter opens its run.";
  });
  canvas.addEventListener("blur", () => go(-1));
  const button = (/** @type {string} */ text, /** @type {() => void} */ act) =>
    h("button", { type: "button", class: "quiet", onclick: act }, text);
  const asTable = () => {
    if (!rows.firstChild && table) rows.append(plainTable(table, label));
    rows.hidden = !rows.hidden;
  };
  const file = async (/** @type {"png" | "svg"} */ kind) => {
    const drawn = await picture(kind);
    if (drawn) save(`${name}.${kind}`, drawn, kind === "svg" ? "image/svg+xml" : "image/png");
  };
  return h(
    "figure",
    { class: `chart ${kind}`.trim() },
    before,
    canvas,
    after,
    rows,
    h(
      "div",
      { class: "chart-foot" },
      points.length > 0 && said,
      h(
        "span",
        { class: "chart-tools" },
        table && [button("Table", asTable), button("CSV", () => save(`${name}.csv`, csv(table), "text/csv"))],
        button("PNG", () => file("png")),
        button("SVG", () => file("svg")),
      ),
    ),
  );
}

/** A chart that the page draws itself. @param {SVGElement} svg @param {Omit<Parameters<typeof chartFrame>[1], "picture">} about */
export function drawing(svg, about) {
  svg.setAttribute("aria-hidden", "true"); // The frame has its words.
  return chartFrame(svg, {
    ...about,
    picture: (kind) => (kind === "svg" ? Promise.resolve(standalone(svg)) : picture(svg)),
  });
}

/** The drawing with the colours that the page gives it, as a file of its own. @param {SVGElement} svg */
function standalone(svg) {
  const copy = /** @type {SVGElement} */ (svg.cloneNode(true));
  const { width, height } = svg.getBoundingClientRect();
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  const styled = [...svg.querySelectorAll("*")];
  [...copy.querySelectorAll("*")].forEach((part, at) => {
    const style = getComputedStyle(styled[at]);
    for (const name of DRAWN) part.setAttribute(name, style.getPropertyValue(name));
  });
  return new XMLSerializer().serializeToString(copy);
}

/** @param {SVGElement} svg @returns {Promise<Blob | null>} */
async function picture(svg) {
  const { width, height } = svg.getBoundingClientRect();
  const image = new Image(width, height);
  image.src = `data:image/svg+xml,${encodeURIComponent(standalone(svg))}`;
  await image.decode();
  const canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { width: width * SCALE, height: height * SCALE }));
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** @param {Table} table @param {string} label */
function plainTable({ names, lines }, label) {
  const cell = (/** @type {any} */ value) =>
    h("td", { class: typeof value === "number" ? "number" : null }, value === null ? "" : String(value));
  const head = names.map((name) => h("th", { scope: "col" }, name));
  return h(
    "div",
    { class: "scroll tall-table", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      { class: "dense" },
      h("thead", {}, h("tr", {}, head)),
      h(
        "tbody",
        {},
        lines.map((line) => h("tr", {}, line.map(cell))),
      ),
    ),
  );
}
