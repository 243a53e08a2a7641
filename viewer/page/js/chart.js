// Charts: Vega-Lite specifications, drawn by a script that is loaded when the first chart is shown.

import { get, relative } from "./api.js";
import { chartFrame } from "./chart-frame.js";
import { h } from "./dom.js";
import { visibleIn } from "./visible.js";

/** @type {Promise<(place: HTMLElement, spec: any, options: any) => Promise<any>> | null} */
let loading = null;

/** The function that draws. The page that `export-viewer-data --html` writes has it inside. */
function drawer() {
  const inside = /** @type {any} */ (window).vegaEmbed;
  if (inside) return Promise.resolve(inside);
  loading ??= get("/api/charts", { past: false })
    .then((answer) => script(relative(answer?.value.script)))
    .then(() => /** @type {any} */ (window).vegaEmbed);
  loading.catch(() => (loading = null)); // The next chart tries again.
  return loading;
}

/** @param {string} src */
function script(src) {
  return new Promise((resolve, reject) => {
    document.head.append(
      h("script", {
        src,
        onload: resolve,
        onerror: () => reject(new Error("the script that draws charts cannot be loaded")),
      }),
    );
  });
}

/**
 * A chart that fills the width of its place, in the colours of the theme. It is drawn again when either changes.
 *
 * @param {Record<string, any> | ((width: number) => Record<string, any>)} spec a Vega-Lite specification without width and
 *   config, or a function of the width that makes it
 * @param {object} about
 * @param {string} about.label what it shows, in words
 * @param {AbortSignal} about.signal
 * @param {(datum: any) => string | null} [about.link] where a click on a mark leads
 * @param {import("./chart-frame.js").Point[]} [about.points] the marks in words
 * @param {import("./chart-frame.js").Table} [about.table] the same as a table
 * @param {string} [about.name] the name of its files
 * @returns {HTMLElement}
 */
export function chart(spec, { label, signal, link, points, table, name }) {
  // Vega gives its drawing a role and a name of its own. A screen reader gets our label instead, and not the marks.
  const inside = h("div", { "aria-hidden": "true" });
  const message = h("p", { class: "soft", hidden: true });
  const element = chartFrame(inside, { label, points, table, name, picture });
  element.append(message);
  /** @type {any} */
  let drawn = null;
  let width = 0;
  let turn = 0;

  async function draw() {
    const mine = ++turn;
    try {
      const embed = await drawer();
      if (signal.aborted || mine !== turn) return;
      // `ast`: expressions are interpreted, since the page's policy allows no code that is made from text.
      const next = await embed(
        inside,
        {
          width: "container",
          autosize: { type: "fit-x", contains: "padding" },
          ...visibleIn(typeof spec === "function" ? spec(element.clientWidth) : spec),
          config: theme(element.clientWidth),
        },
        {
          mode: "vega-lite",
          actions: false,
          renderer: "svg",
          ast: true,
          defaultStyle: false,
          tooltip: { disableDefaultStyle: true },
        },
      );
      if (signal.aborted || mine !== turn) return next.finalize();
      drawn?.finalize();
      drawn = next;
      if (link) {
        next.view.addEventListener("click", (/** @type {any} */ _, /** @type {any} */ item) => {
          const to = item?.datum && link(item.datum.datum ?? item.datum);
          if (to) location.hash = to;
        });
      }
    } catch (problem) {
      if (signal.aborted || mine !== turn) return;
      message.hidden = false;
      message.textContent = `The chart cannot be drawn: ${/** @type {Error} */ (problem).message}`;
    }
  }

  /** @param {"png" | "svg"} kind @returns {Promise<string | Blob | null>} */
  async function picture(kind) {
    if (!drawn) return null;
    if (kind === "svg") return drawn.view.toSVG();
    const canvas = await drawn.view.toCanvas(2);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }

  const resized = new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    if (width) draw();
  });
  resized.observe(element);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", draw, { signal });
  const themed = new MutationObserver(draw);
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  signal.addEventListener("abort", () => {
    resized.disconnect();
    themed.disconnect();
    drawn?.finalize();
  });
  return element;
}

// The colours of Okabe and Ito, which people of every colour vision can tell apart; the second row is for dark grounds.
const CATEGORIES = {
  light: ["#0072b2", "#d55e00", "#00795a", "#b3538f", "#8a6100", "#4b5563"],
  dark: ["#56b4e9", "#ff9f5a", "#3fd0a5", "#e79ac6", "#e6c34a", "#a2abbd"],
};

/** @param {number} width of the chart: names leave most of it to what is drawn */
function theme(width) {
  const style = getComputedStyle(document.body);
  // A variable with `light-dark(…)` stays that text, so an element uses each colour, and the browser resolves it.
  const probe = h("span", {});
  document.body.append(probe);
  const colour = (/** @type {string} */ name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const [text, soft, line, ground, accent] = ["text", "soft", "line", "surface", "accent"].map(colour);
  probe.remove();
  const isDark = luminance(ground) < 0.5;
  return {
    background: "transparent",
    font: style.fontFamily,
    view: { stroke: null },
    axis: {
      domain: false,
      ticks: false,
      labelPadding: 6,
      labelOverlap: true,
      gridOpacity: 0.6,
      labelColor: soft,
      titleColor: soft,
      gridColor: line,
      domainColor: line,
      tickColor: line,
      labelFontSize: 12,
      titleFontSize: 12,
      titleFontWeight: 400,
      labelLimit: Math.min(240, width * 0.38),
    },
    legend: {
      symbolOpacity: 1,
      symbolBaseFillColor: soft,
      symbolBaseStrokeColor: soft,
      labelColor: text,
      titleColor: soft,
      orient: "bottom",
      title: null,
      labelFontSize: 12,
      columns: 3,
      labelLimit: 260,
    },
    header: { labelColor: text, titleColor: soft },
    title: { color: text },
    mark: { color: accent, tooltip: null },
    text: { color: text, fontSize: 12 },
    // Names stay readable on lines: behind each one is the same in the colour of the ground.
    style: { halo: { color: ground, stroke: ground, strokeWidth: 4, strokeJoin: "round" } },
    line: { strokeWidth: 1.75 },
    point: { filled: true, size: 60 },
    range: { category: CATEGORIES[isDark ? "dark" : "light"] },
  };
}

/** @param {string} rgb */
function luminance(rgb) {
  const [red, green, blue] = (rgb.match(/[\d.]+/g) ?? ["255", "255", "255"]).map(Number);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}
