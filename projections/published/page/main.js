// The page of a published table: it shows the table's event, and checks every line, proof, signature and figure here.
// Nothing is loaded, and nothing is sent.

import { subtle } from "./bytes.js";
import { check } from "./check.js";
import { eventIn } from "./lines.js";
import { judge } from "./note.js";
import { banner, byId, make, markRows, sentence, showFacts, showTable } from "./view.js";

/** @typedef {import("./check.js").Found} Found */
/** @typedef {import("./note.js").Judgement} Judgement */
/** @typedef {import("./note.js").Note} Note */

const WRONG = "This page is wrong. Do not use its numbers.";

/** @param {any} data the document */
async function main(data) {
  const begun = performance.now();
  const { event } = eventIn(data.published.line);
  showFacts(event, data);
  showTable(event, data);
  if (!subtle) {
    banner("mild", "Not checked: this browser does not offer WebCrypto here. Save the page and open the file.");
    return;
  }
  const found = await check(data);
  const { note } = found;
  const signatures = note ? await Promise.all([...data.keys, ...data.witnesses].map((key) => judge(note, key))) : [];
  const bad = [...found.problems, ...signatures.filter((one) => one.good === false)].map(({ text }) => sentence(text));
  markRows(new Set(found.problems.map((one) => one.row)), found.stated, bad.length > 0);
  showVerdict(bad, found, signatures, data.events.length + 1);
  showUnchecked(found, signatures);
  byId("key").addEventListener("change", () => note && tryKey(note));
  byId("took").textContent = `Checked here in ${Math.round(performance.now() - begun)} ms.`;
  document.documentElement.dataset.checked = bad.length ? "bad" : "good";
}

/** @param {string[]} bad @param {Found} found @param {Judgement[]} signatures @param {number} lines */
function showVerdict(bad, { note, stated }, signatures, lines) {
  if (bad.length || !note) return banner("bad", WRONG, bad);
  const signed = signatures.filter((one) => one.good).map(({ text }) => sentence(text));
  const all = `${lines} of the ${note.size} events of the ledger ${note.origin}`;
  if (stated.size) {
    const some = stated.size === 1 ? "1 row is" : `${stated.size} rows are`;
    banner("mild", `Nothing is wrong by ${all}; ${some} stated in part, and cannot be checked from this page.`, signed);
  } else banner("good", `Every figure follows from ${all}.`, signed);
}

/** @param {Found} found @param {Judgement[]} signatures */
function showUnchecked({ note, unchecked }, signatures) {
  const list = [];
  if (!note?.signatures.length) list.push("who published this: the checkpoint is not signed");
  else if (!signatures.length) list.push("the signatures: the page names no key. Paste the publisher's key below");
  else
    list.push(
      "whether the key is the publisher's: it comes from this page. Compare it with the one that they give elsewhere",
    );
  list.push(
    ...signatures.filter((one) => one.good === null).map(({ text }) => text),
    ...unchecked,
    "whether runs were left out of the ledger, or another ledger was kept. A registration or witnesses narrow this",
    "the verdict of a registered test, and whether the benchmark measured what it should",
    "this script: a forged page may carry a forged one. `benchmarks table status FILE` checks the data with your own program",
  );
  byId("unchecked").replaceChildren(...list.map((text) => make("li", sentence(text))));
}

/** @param {Note} note */
async function tryKey(note) {
  const key = /** @type {HTMLInputElement} */ (byId("key")).value.trim();
  const { good, text } = key ? await judge(note, key) : { good: null, text: "" };
  byId("judged").textContent = text && sentence(text);
  byId("judged").className = good === false ? "bad-text" : "";
}

main(JSON.parse(byId("table").textContent ?? "")).catch((problem) => {
  banner("bad", WRONG, [`Its data cannot be read: ${problem.message}`]);
  document.documentElement.dataset.checked = "bad";
});
