// What stands in the place of data: nothing there, being fetched, not to be had.

import { h } from "./dom.js";

/** Data are on their way. @param {number} [lines] */
export function loading(lines = 6) {
  return h(
    "div",
    { class: "panel loading", role: "status", "aria-label": "Loading" },
    Array.from({ length: lines }, () => h("i")),
  );
}

/** There are none: a heading, a sentence, and perhaps a command to type. */
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

/** They cannot be had; `again` asks anew. */
export function failure(/** @type {string} */ title, /** @type {string} */ text, /** @type {() => void} */ again) {
  return h(
    "div",
    { class: "panel message failure", role: "alert" },
    h("p", { class: "symbol", "aria-hidden": "true" }, "!"),
    h("h2", {}, title),
    h("p", {}, text),
    again && h("button", { type: "button", onclick: again }, "Try again"),
  );
}
