// The frame of every page: the state of the ledger, the theme, menus, and the link to the content.

import { h } from "./dom.js";
import { count, moment } from "./format.js";
import { keysDialog } from "./keys.js";

const STATES = {
  waiting: "Connecting",
  live: "Live",
  away: "Server not reachable",
  past: "Snapshot of the past",
  file: "Snapshot in a file",
};
const MAX_SHEET = 420; // The greatest width of a sheet, in pixels.
const PROOFS = {
  proven: "the chain is proven",
  checking: "the chain is being proven",
  damaged: "the ledger is not sound",
};

/** @param {HTMLElement} main @param {typeof import("./ledger.js").ledger} ledger */
export function startShell(main, ledger) {
  const head = /** @type {HTMLElement} */ (document.getElementById("head"));
  const notice = /** @type {HTMLElement} */ (document.getElementById("notice"));

  function draw() {
    const shown = ledger.head;
    head.dataset.state = ledger.state;
    head.dataset.proof = ledger.proof;
    const texts = [
      STATES[ledger.state],
      PROOFS[ledger.proof],
      shown?.position && `event ${count(shown.position)} of ${moment(shown.at)}, hash ${shown.hash}`,
    ];
    head.title = texts.filter(Boolean).join("; ");
    head.replaceChildren(h("span", { class: "visually-hidden" }, `${STATES[ledger.state]}, ${PROOFS[ledger.proof]}`));
    if (shown?.position)
      head.append(h("span", {}, `#${count(shown.position)}`), h("span", { class: "hash" }, shown.hash.slice(0, 8)));
    const isAway = ledger.state === "away";
    const isDamaged = ledger.proof === "damaged";
    document.documentElement.toggleAttribute("data-damaged", isDamaged);
    notice.hidden = !isAway && !isDamaged;
    notice.classList.toggle("damaged", isDamaged);
    if (isAway)
      notice.textContent =
        "Not up to date: the viewer's server does not answer. Is `benchmarks serve-viewer` still running? Reconnects automatically.";
    if (isDamaged)
      notice.textContent = `The ledger was changed or is damaged${ledger.damage ? `: ${ledger.damage}` : ""}. Run \`benchmarks ledger verify\` for all faults.`;
  }

  ledger.addEventListener("head", draw);
  ledger.addEventListener("state", draw);
  draw();

  document.getElementById("theme")?.addEventListener("click", changeTheme);
  document.getElementById("help")?.addEventListener("click", () => keysDialog());
  // The part of the address after # names a page here, so the link cannot name an element.
  document.querySelector(".skip")?.addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  // A sheet that would end outside of the window opens to the other side.
  document.addEventListener(
    "click",
    ({ target }) => {
      const summary = /** @type {HTMLElement} */ (target).closest?.("details.menu > summary");
      if (!summary) return;
      const { left, right } = summary.getBoundingClientRect();
      const menu = /** @type {HTMLElement} */ (summary.parentElement);
      const isOutside = menu.classList.contains("right")
        ? right < MAX_SHEET
        : left + MAX_SHEET > document.documentElement.clientWidth;
      menu.classList.toggle("flipped", isOutside);
    },
    { capture: true },
  );
  // A sheet closes when the reader goes elsewhere.
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
  document.dispatchEvent(new Event("themechange")); // For charts, which have colours of their own.
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Without storage the choice holds until the page is closed.
  }
}
