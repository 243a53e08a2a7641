// The proof of a run's score, fetched and checked when the reader asks for it.

import { get, runPath } from "./api.js";
import { command } from "./data-table.js";
import { h } from "./dom.js";
import { judge } from "./note.js";
import { panel } from "./parts.js";
import { checked } from "./proof.js";
import { failure, loading } from "./states.js";

const FILE = "run.tlog-proof";

const ABOUT = "Fetches the events of the run, and checks in this browser that they are in the ledger.";
const NOT_HERE = "This file has no proofs. A viewer with a server has a button here; a command does the same:";
const IS_FILE = document.documentElement.hasAttribute("data-inside");

/** A panel about one run. @param {string} runId @param {() => any} shown the run as the page shows it @param {AbortSignal} signal */
export function proofPanel(runId, shown, signal) {
  const place = h("div", { class: "stack", "aria-live": "polite" });
  const ask = () => prove(place, runId, shown(), signal);
  const inside = IS_FILE
    ? [h("p", { class: "soft" }, NOT_HERE), command(`benchmarks ledger prove ${runId}`)]
    : [h("p", { class: "soft" }, ABOUT), h("p", {}, h("button", { type: "button", onclick: ask }, "Prove it")), place];
  return panel("Proof of this number", inside, "", { "data-panel": "proof" });
}

/** A form that asks for a run. @param {AbortSignal} signal */
export function proofForm(signal) {
  if (IS_FILE) return h("div", {}, h("p", { class: "soft" }, NOT_HERE), command("benchmarks ledger prove RUN"));
  const place = h("div", { class: "stack", "aria-live": "polite" });
  const field = /** @type {HTMLInputElement} */ (
    h("input", { type: "text", required: true, spellcheck: "false", autocomplete: "off", placeholder: "run_…" })
  );
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    prove(place, field.value.trim(), null, signal);
  };
  return h(
    "div",
    { class: "stack" },
    h("p", { class: "soft" }, "Proof of one number: the id of a run. ", ABOUT),
    h(
      "form",
      { class: "line", onsubmit: submit },
      h("label", { class: "field" }, "Run", field),
      h("button", {}, "Prove it"),
    ),
    place,
  );
}

/**
 * Fetches the proof of a run, checks it, and shows what was found.
 *
 * @param {HTMLElement} place
 * @param {string} runId
 * @param {any} shown the run as the page shows it; null if it shows none
 * @param {AbortSignal} signal
 */
export async function prove(place, runId, shown, signal) {
  place.replaceChildren(loading(2));
  try {
    const answer = /** @type {any} */ (await get(`${runPath(runId)}/proof`, { signal })).value;
    const found = await checked(runId, answer, shown);
    if (!signal.aborted) place.replaceChildren(...drawn(answer, found));
  } catch (problem) {
    if (signal.aborted) return;
    const again = () => prove(place, runId, shown, signal);
    place.replaceChildren(failure("The proof cannot be shown", /** @type {Error} */ (problem).message, again));
  }
}

/** @param {any} answer @param {import("./proof.js").Found} found */
function drawn(answer, { faults, checked: done, unchecked, note }) {
  if (faults.length)
    return [
      verdict("bad", "Not proven"),
      h(
        "ul",
        { class: "plain error", role: "alert" },
        faults.map((text) => h("li", {}, text)),
      ),
    ];
  const file = new Blob([answer.tlog_proof], { type: "text/plain" });
  const link = h("a", { href: URL.createObjectURL(file), download: FILE }, FILE);
  return [
    verdict("good", "Proven in this browser"),
    h(
      "ul",
      { class: "plain" },
      done.map((text) => h("li", {}, text)),
    ),
    h("h3", {}, "Not checked here"),
    h(
      "ul",
      { class: "plain soft" },
      unchecked.map((text) => h("li", {}, text)),
    ),
    note?.signatures.length ? keyField(note) : "",
    h("p", {}, "Proof of event ", String(answer.proven_seq), ", for readers without the ledger: ", link),
    command(`benchmarks ledger verify-proof ${FILE}`),
  ];
}

/** @param {string} kind @param {string} text */
const verdict = (kind, text) =>
  h("p", { class: "line", role: "status" }, h("span", { class: `dot ${kind}` }), h("strong", {}, text));

/** A field for the public key of who signed the checkpoint. @param {import("./note.js").Note} note */
function keyField(note) {
  const said = h("p", { role: "status" });
  const field = /** @type {HTMLInputElement} */ (
    h("input", { type: "text", spellcheck: "false", autocomplete: "off", placeholder: "name+hash+key" })
  );
  field.addEventListener("change", async () => {
    const { good, text } = await judge(note, field.value);
    said.className = good === false ? "error" : "";
    said.textContent = `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
  });
  return h("div", {}, h("label", { class: "field" }, "Public key", field), said);
}
