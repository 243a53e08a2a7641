// Panels without data: loading, empty, failed.

import { h } from "./dom.js";

/** The data are being loaded. @param {number} [lines] */
export function loading(lines = 6) {
  return h(
    "div",
    { class: "panel loading", role: "status", "aria-label": "Loading" },
    Array.from({ length: lines }, () => h("i")),
  );
}

/** Nothing to show: a heading, a sentence, and optionally a command. */
export function empty(/** @type {string} */ title, /** @type {any} */ text, /** @type {string} */ command = "") {
  return h(
    "div",
    { class: "panel message" },
    h("p", { class: "symbol", "aria-hidden": "true" }, "◌"),
    h("h2", {}, title),
    h("p", {}, text),
    command && h("code", {}, command),
  );
}

/** The data cannot be loaded; `again` loads them again, where that can help. */
export function failure(
  /** @type {string} */ title,
  /** @type {string} */ text,
  /** @type {(() => void) | null} */ again,
) {
  return h(
    "div",
    { class: "panel message failure", role: "alert" },
    h("p", { class: "symbol", "aria-hidden": "true" }, "!"),
    h("h2", {}, title),
    h("p", {}, text),
    again && h("button", { type: "button", onclick: again }, "Try again"),
  );
}
