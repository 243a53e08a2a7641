// Help where the thing is: a text that appears on focus, on tap and under the mouse.

import { h } from "./dom.js";

const DISTANCE = 6;
/** @type {HTMLElement | null} */
let shown = null;
let last = 0;

/** Words with an explanation. @param {any} content @param {any} text */
export function tip(content, text) {
  const button = h("button", { type: "button", class: "tip" }, content);
  return explained(button, text);
}

/** An element that takes focus, with an explanation. @template {HTMLElement} E @param {E} element @param {any} text @returns {E} */
export function explained(element, text) {
  if (!text) return element;
  const id = `tip-${++last}`;
  const words = h("span", { id, hidden: true }, text);
  element.append(words);
  element.setAttribute("aria-describedby", id);
  const show = () => open(element, words.textContent ?? "");
  element.addEventListener("focus", show);
  element.addEventListener("mouseenter", show);
  element.addEventListener("blur", close);
  element.addEventListener("mouseleave", () => document.activeElement !== element && close());
  element.addEventListener("click", () => element.matches("button") && show());
  return element;
}

/** @param {HTMLElement} element @param {string} text */
function open(element, text) {
  close();
  // The words are read to screen readers as the element's description.
  shown = h("div", { class: "tip-text", "aria-hidden": "true" }, text);
  document.body.append(shown);
  const at = element.getBoundingClientRect();
  const own = shown.getBoundingClientRect();
  const left = Math.max(DISTANCE, Math.min(at.left, document.documentElement.clientWidth - own.width - DISTANCE));
  const below = at.bottom + DISTANCE + own.height <= innerHeight;
  shown.style.left = `${left}px`;
  shown.style.top = `${below ? at.bottom + DISTANCE : Math.max(DISTANCE, at.top - DISTANCE - own.height)}px`;
}

function close() {
  shown?.remove();
  shown = null;
}

document.addEventListener("keydown", (event) => event.key === "Escape" && close());
document.addEventListener("scroll", close, { capture: true, passive: true });
window.addEventListener("hashchange", close);
