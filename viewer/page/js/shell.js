// What stands around every page: which state of the ledger is shown, the theme, and how to skip to the content.

import { h } from "./dom.js";
import { count, moment } from "./format.js";
import { keysDialog } from "./keys.js";

const STATES = {
  waiting: "Asking the server",
  live: "Live: changes come by themselves",
  away: "The server does not answer",
  past: "The past: nothing changes here",
  file: "A file: the history as it was when this was written",
};

/** @param {HTMLElement} main @param {typeof import("./ledger.js").ledger} ledger */
export function startShell(main, ledger) {
  const head = /** @type {HTMLElement} */ (document.getElementById("head"));
  const notice = /** @type {HTMLElement} */ (document.getElementById("notice"));

  function draw() {
    const shown = ledger.head;
    head.dataset.state = ledger.state;
    const told = [
      STATES[ledger.state],
      shown?.position && `last event: number ${count(shown.position)} of ${moment(shown.at)}, hash ${shown.hash}`,
    ];
    head.title = told.filter(Boolean).join("; ");
    head.replaceChildren(h("span", { class: "visually-hidden" }, STATES[ledger.state]));
    if (shown?.position)
      head.append(h("span", {}, `#${count(shown.position)}`), h("span", { class: "hash" }, shown.hash.slice(0, 8)));
    notice.hidden = ledger.state !== "away";
    if (!notice.hidden)
      notice.textContent =
        "Not up to date: the viewer's server does not answer. Is `benchmarks serve-viewer` still running? The page goes on by itself.";
  }

  ledger.addEventListener("head", draw);
  ledger.addEventListener("state", draw);
  draw();

  document.getElementById("theme")?.addEventListener("click", changeTheme);
  document.getElementById("help")?.addEventListener("click", () => keysDialog());
  // The address behind # names a page here, so the link cannot lead to an element by itself.
  document.querySelector(".skip")?.addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  // A sheet closes when somebody goes elsewhere.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]"))
      if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
  });
  document.addEventListener("focusin", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]"))
      if (!menu.contains(/** @type {Node} */ (event.target)) && event.target !== main) menu.removeAttribute("open");
  });
}

function changeTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (document.documentElement.dataset.theme ?? system) === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  document.dispatchEvent(new Event("themechange")); // For what is drawn with colours of its own.
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Where storage is forbidden, the choice holds until the page is left.
  }
}
