// Which page the address means; and what stands above all pages.

import { showBenchmarks } from "./benchmarks-page.js";
import { h } from "./dom.js";
import { ago } from "./format.js";
import { recall, remember, settled } from "./memory.js";
import { showRun } from "./run-page.js";
import { showRuns } from "./runs-page.js";

const AGES_MS = 20_000;

const main = document.getElementById("main");
const head = document.getElementById("head");
const rememberScroll = settled(() => remember({ scroll: window.scrollY }), 150);
let page = null; // The page that is shown: its name, and what ends it.
let lastRuns = "#/";

function route() {
  rememberScroll.cancel();
  const before = page?.name;
  page?.end();
  const [path, parameters = ""] = location.hash.replace(/^#/, "").split("?");
  const [, first = "", second = ""] = path.split("/");
  const { scroll = 0 } = recall();
  const ready = () => window.scrollTo(0, scroll);
  if (first === "runs" && second) {
    const leave = () => (before === "runs" ? history.back() : (location.hash = lastRuns));
    page = { name: "run", end: showRun(main, decoded(second), { all: lastRuns, leave, ready }) };
  } else if (first === "benchmarks") {
    document.title = "Benchmarks";
    page = { name: "benchmarks", end: showBenchmarks(main, { ready }) };
  } else {
    document.title = "Runs · Benchmarks";
    page = { name: "runs", end: showRuns(main, parameters, { ready, moved: (hash) => (lastRuns = hash) }) };
    lastRuns = location.hash || "#/";
  }
  for (const link of document.querySelectorAll("[data-page]")) {
    if (link.dataset.page === (page.name === "run" ? "runs" : page.name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (before && before !== page.name) main.focus({ preventScroll: true });
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // No page of ours wrote it; the server will say that there is no such run.
  }
}

document.addEventListener("head", ({ detail: { position, hash } }) => {
  head.replaceChildren(...(position ? [h("span", {}, `#${position}`), " ", h("span", { class: "hash" }, hash.slice(0, 12))] : []));
  head.title = position ? `The ledger's last event: number ${position}, hash ${hash}` : "";
});

document.getElementById("theme").addEventListener("click", () => {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (document.documentElement.dataset.theme ?? system) === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Where storage is forbidden, the choice holds until the page is left.
  }
});

// The address behind # names a page here, so the link cannot lead to an element by itself.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

setInterval(() => {
  for (const time of document.querySelectorAll("time")) time.textContent = ago(time.dateTime);
}, AGES_MS);

// The cookie has the token by now: it need not stand in the address, where it could be seen or sent on.
if (location.search) history.replaceState(history.state, "", location.pathname + location.hash);
history.scrollRestoration = "manual";
window.addEventListener("scroll", rememberScroll, { passive: true });
window.addEventListener("hashchange", route);
route();
