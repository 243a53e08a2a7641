// What is set differently in two to six runs: options, versions, commits, environment.

import { get } from "./api.js";
import { h } from "./dom.js";
import { count, plural } from "./format.js";
import { panel } from "./parts.js";
import { failure, loading } from "./states.js";

/** @param {{ letter: string, at: number, run_id: string }[]} runs @param {AbortSignal} signal */
export function settingsPanel(runs, signal) {
  const inside = h("div", {}, loading(2));
  async function load() {
    try {
      const answer = await get("/api/compare/settings", { query: { run: runs.map((one) => one.run_id) }, signal });
      if (answer) draw(answer.value.settings);
    } catch (problem) {
      if (signal.aborted) return;
      inside.replaceChildren(failure("The settings cannot be compared", /** @type {Error} */ (problem).message, load));
    }
  }
  function draw(/** @type {any[]} */ settings) {
    const differing = settings.filter((one) => one.differs);
    const same = settings.length - differing.length;
    inside.replaceChildren(
      differing.length ? table(differing) : h("p", { class: "soft" }, "All settings are the same."),
      same
        ? h(
            "details",
            {
              ontoggle: (/** @type {any} */ { target }) =>
                target.childElementCount < 2 && target.append(table(settings.filter((one) => !one.differs))),
            },
            h(
              "summary",
              { class: "soft" },
              `${plural(same, "more setting")} that ${same === 1 ? "is" : "are"} the same`,
            ),
          )
        : "",
    );
  }
  const table = (/** @type {any[]} */ rows) =>
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Settings" },
      h(
        "table",
        { class: "dense settings" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "Setting"),
            runs.map(({ letter, at }) => h("th", { scope: "col" }, h("span", { class: `letter side-${at}` }, letter))),
          ),
        ),
        h(
          "tbody",
          {},
          rows.map(({ name, values }) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, name),
              values.map((/** @type {string | null} */ value) =>
                h("td", { class: "mono" }, value ?? h("span", { class: "soft" }, "—")),
              ),
            ),
          ),
        ),
      ),
    );
  load();
  return panel(
    "Settings that differ",
    inside,
    h("span", { class: "soft" }, `${count(runs.length)} newest runs of the chosen row`),
    { class: "panel wide" },
  );
}
