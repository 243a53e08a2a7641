// Keyboard shortcuts, and the dialog that lists them.

import { h } from "./dom.js";

/** @typedef {{ keys: string[], about: string, act?: (event: KeyboardEvent) => void }} Key */

/** Shortcuts of the page that is shown. @type {Set<Key>} */
const known = new Set();
/** @type {Key[]} */
const EVERYWHERE = [{ keys: ["?"], about: "this help", act: () => keysDialog() }];

/** Shortcuts of the page that is shown, until it ends. @param {Key[]} keys @param {AbortSignal} signal */
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
    const found = [...known, ...EVERYWHERE].find((key) => key.act && key.keys.includes(event.key));
    if (!found?.act) return;
    event.preventDefault();
    found.act(event);
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

/** Shows the shortcuts of this page. */
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
      h("h2", { id: "keys-title" }, "Keyboard shortcuts"),
      h("dl", {}, rows.flat()),
      close,
    )
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
