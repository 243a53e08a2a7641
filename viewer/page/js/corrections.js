// Corrections of a run: what people said and changed, and the dialog that adds to it.

import { get, write } from "./api.js";
import { announce, h } from "./dom.js";
import { moment, score } from "./format.js";
import { panel } from "./parts.js";

/** @typedef {Record<string, any>} Run */

const TYPES = new Set(["annotated", "retracted", "reinstated", "samples_excluded", "samples_included", "rescored"]);
const MAX_SAMPLES_SHOWN = 5;

/** @type {Promise<{ may_write: boolean, reason: string, author: string | null }> | null} */
let asked = null;

/** Whether this visitor may write; asked once. */
function mayWrite() {
  asked ??= get("api/corrections", { past: false }).then(
    (answer) => answer?.value,
    () => ({ may_write: false, reason: "", author: null }),
  );
  return asked;
}

/**
 * The panel with the corrections of a run, and the button that opens the dialog.
 *
 * @param {string} path of the run in the API
 * @param {() => void} changed called after a correction was recorded
 */
export function correctionsPanel(path, changed) {
  const list = h("ul", { class: "plain corrections" });
  const button = /** @type {HTMLButtonElement} */ (h("button", { type: "button", hidden: true }, "Correct…"));
  const first = h("p", { class: "quiet", hidden: true });
  const element = panel("Corrections", [first, list, button]);
  element.hidden = true;
  /** @type {Run} */
  let run = {};
  button.addEventListener("click", async () => openDialog(path, run, (await mayWrite()).author, changed));

  return {
    element,
    async draw(/** @type {Run} */ shown, /** @type {any[]} */ events, /** @type {boolean} */ isPast) {
      run = shown;
      const corrections = events.filter((event) => TYPES.has(event.type));
      list.replaceChildren(...corrections.map(correction));
      first.hidden = shown.original_score === null || shown.original_score === undefined;
      first.textContent = `The score was recorded as ${score(shown.original_score)}, and is ${score(shown.score)} now.`;
      const may = !isPast && shown.status !== "running" && (await mayWrite()).may_write;
      button.hidden = !may;
      element.hidden = !may && !corrections.length;
    },
  };
}

/** @param {any} event */
function correction({ type, data, at }) {
  const shown = data.samples?.slice?.(0, MAX_SAMPLES_SHOWN) ?? [];
  const more = (data.samples?.length ?? 0) - shown.length;
  const samples = `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  /** @type {Record<string, () => any[]>} */
  const said = {
    annotated: () => [
      data.note,
      " ",
      (data.tags ?? []).map((/** @type {string} */ tag) => h("span", { class: "mark" }, tag)),
    ],
    retracted: () => ["retracted: ", data.reason],
    reinstated: () => ["reinstated: ", data.reason],
    samples_excluded: () => [`excluded ${samples}; score ${score(data.anew.score)}: `, data.reason],
    samples_included: () => [`counted ${samples} again; score ${score(data.anew.score)}: `, data.reason],
    rescored: () => [`rescored by ${data.scorer.name}; score ${score(data.score)}`, data.reason && `: ${data.reason}`],
  };
  return h(
    "li",
    {},
    h("strong", {}, data.author),
    " ",
    h("time", { datetime: at, class: "quiet" }, moment(at)),
    h("br"),
    said[type](),
  );
}

const KINDS = /** @type {[string, string, (run: Run) => boolean][]} */ ([
  ["annotate", "Add a remark", () => true],
  ["retract", "Retract the run: it counts nowhere", (run) => !run.retracted],
  ["reinstate", "Reinstate the run: it counts again", (run) => Boolean(run.retracted)],
  ["exclude", "Exclude samples from the score", (run) => run.status === "succeeded" && run.samples !== null],
  ["include", "Count excluded samples again", (run) => run.excluded?.length > 0],
]);

/** @param {string} path @param {Run} run @param {string | null} author @param {() => void} changed */
function openDialog(path, run, author, changed) {
  const before = document.activeElement;
  const options = KINDS.filter(([, , fits]) => fits(run)).map(([value, text]) => h("option", { value }, text));
  const kind = /** @type {HTMLSelectElement} */ (h("select", { name: "kind" }, options));
  const samples = field("Samples, one id a line", h("textarea", { name: "samples", rows: "3" }));
  const text = field("Reason", h("textarea", { name: "text", rows: "3", required: true }));
  const tags = field("Tags, separated by spaces", h("input", { name: "tags", autocomplete: "off" }));
  const by = field(
    "Author",
    h("input", {
      name: "author",
      required: true,
      autocomplete: "name",
      value: author ?? remembered(),
      readonly: author !== null,
    }),
  );
  const problem = h("p", { class: "notice problem", role: "alert", hidden: true });
  const submit = /** @type {HTMLButtonElement} */ (h("button", { type: "submit" }, "Record"));
  const cancel = h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel");
  const form = /** @type {HTMLFormElement} */ (
    h("form", {}, field("What", kind), samples, text, tags, by, problem, h("p", { class: "actions" }, submit, cancel))
  );
  const dialog = /** @type {HTMLDialogElement} */ (
    h(
      "dialog",
      { class: "correct", "aria-labelledby": "correct-title" },
      h("h2", { id: "correct-title" }, "Correct this run"),
      h("p", { class: "quiet" }, "Nothing is edited: a correction is a new event, with its author and time."),
      form,
    )
  );

  function fit() {
    const chosen = kind.value;
    samples.hidden = chosen !== "exclude" && chosen !== "include";
    tags.hidden = chosen !== "annotate";
    const label = /** @type {HTMLElement} */ (text.firstElementChild);
    label.textContent = chosen === "annotate" ? "Remark" : "Reason";
  }

  kind.addEventListener("change", fit);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    problem.hidden = true;
    try {
      await write(`${path}/corrections`, body(new FormData(form)));
      remember(String(new FormData(form).get("author")));
      dialog.close();
      announce("The correction was recorded.");
      changed();
    } catch (failure) {
      problem.textContent = /** @type {Error} */ (failure).message;
      problem.hidden = false;
    } finally {
      submit.disabled = false;
    }
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement) before.focus();
  });
  fit();
  document.body.append(dialog);
  dialog.showModal();
  kind.focus();
}

/** @param {FormData} given */
function body(given) {
  const [kind, author, text] = ["kind", "author", "text"].map((name) => String(given.get(name) ?? ""));
  if (kind === "annotate") {
    return {
      kind,
      author,
      note: text,
      tags: String(given.get("tags") ?? "")
        .split(/\s+/)
        .filter(Boolean),
    };
  }
  if (kind === "retract" || kind === "reinstate") return { kind, author, reason: text };
  const samples = String(given.get("samples") ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  return { kind, author, reason: text, samples };
}

/** @param {string} name @param {HTMLElement} input */
function field(name, input) {
  input.id = `correct-${input.getAttribute("name")}`;
  return h("div", { class: "field" }, h("label", { for: input.id }, name), input);
}

const KEY = "benchmarks-author";

function remembered() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // The browser keeps nothing for this page.
  }
}

/** @param {string} name */
function remember(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // The browser keeps nothing for this page.
  }
}
