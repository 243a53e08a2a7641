// The trajectories of a run in files such as trajectories.jsonl which no sample has: a sample shows its own.

import { get } from "./api.js";
import { h } from "./dom.js";
import { cost, count, plural } from "./format.js";
import { panel } from "./parts.js";
import { sampleLink } from "./sample.js";
import { visible } from "./visible.js";

const STEP = 100;

/** @param {string} runId @param {string} path @param {AbortSignal} signal */
export function trajectoriesPanel(runId, path, signal) {
  const body = h("tbody");
  const notes = h("p", { class: "error", hidden: true });
  const many = h("span", { class: "soft" });
  const more = h(
    "button",
    { type: "button", class: "more", hidden: true, onclick: () => load(body.childElementCount) },
    "Show more",
  );
  const table = h(
    "table",
    { class: "dense" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        [["Trajectory"], ["File"], ["Format"], ["Turns", 1], ["Calls", 1], ["Tokens", 1], ["Cost", 1]].map(
          ([title, isNumber]) => h("th", { scope: "col", class: isNumber ? "number" : "" }, title),
        ),
      ),
    ),
    body,
  );
  const element = panel(
    "Trajectories",
    [notes, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Trajectories" }, table), more],
    many,
    { class: "panel wide", hidden: true, "data-panel": "trajectories" },
  );

  async function load(offset = 0) {
    let answer;
    try {
      answer = await get(`${path}/trajectories`, { query: { offset, limit: STEP, alone: 1 }, signal });
    } catch {
      return; // The page of the run says that the server is away.
    }
    const { trajectories, total, notes: problems } = /** @type {any} */ (answer).value;
    element.hidden = !total && !problems.length;
    table.hidden = !total;
    many.textContent = total ? plural(total, "trajectory").replace("trajectorys", "trajectories") : "";
    notes.textContent = visible(problems.join("; "));
    notes.hidden = !problems.length;
    if (!offset) body.replaceChildren();
    body.append(...trajectories.map(row));
    more.hidden = body.childElementCount >= total;
  }

  const row = (/** @type {any} */ one) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { class: "mono", href: sampleLink(runId, { id: one.name }) }, one.name)),
      h("td", { class: "soft" }, one.path),
      h("td", {}, one.shape),
      h("td", { class: "number" }, count(one.turns)),
      h("td", { class: "number" }, count(one.calls)),
      h("td", { class: "number" }, count(one.tokens)),
      h("td", { class: "number" }, cost(one.cost_usd)),
    );

  return { element, load };
}
