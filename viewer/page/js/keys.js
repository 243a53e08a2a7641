// Keys that do something, and the dialog that tells of them.

import { h } from "./dom.js";

/** @typedef {{ keys: string[], about: string, act?: (event: KeyboardEvent) => void }} Key */

/** Keys of the page that is shown; they go with it. @type {Set<Key>} */
const known = new Set();
/** @type {Key[]} */
const EVERYWHERE = [{ keys: ["?"], about: "this help", act: () => keysDialog() }];

/** Keys for as long as the page lives. @param {Key[]} keys @param {AbortSignal} signal */
export function useKeys(keys, signal) {
  for (const key of keys) known.add(key);
  signal.addEventListener("abort", () => {
    for (const key of keys) known.delete(key);
  });
}

export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape" && closeMenu(target)) return;
    if (
      event.defaultPrevented ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      document.querySelector("dialog[open]")
    )
      return;
    if (target.matches("input:not([type=checkbox]), select, textarea, [contenteditable]")) return;
    const meant = [...known, ...EVERYWHERE].find((key) => key.act && key.keys.includes(event.key));
    if (!meant?.act) return;
    event.preventDefault();
    meant.act(event);
  });
}

/** @param {HTMLElement} target */
function closeMenu(target) {
  const menu = target.closest("details.menu[open]");
  if (!menu) return false;
  menu.removeAttribute("open");
  menu.querySelector("summary")?.focus();
  return true;
}

/** Tells which keys there are here. */
export function keysDialog() {
  const rows = [...known, ...EVERYWHERE].map(({ keys, about }) => [
    h(
      "dt",
      {},
      keys.flatMap((key, index) => [index ? " " : "", h("kbd", {}, key)]),
    ),
    h("dd", {}, about),
  ]);
  const close = h("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const dialog = /** @type {HTMLDialogElement} */ (
    h(
      "dialog",
      { "aria-labelledby": "keys-title" },
      h("h2", { id: "keys-title" }, "Keys"),
      h("dl", {}, rows.flat()),
      close,
    )
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
