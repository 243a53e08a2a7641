// Which page the address means; and what stands above all pages.

import { showBenchmarks } from "./benchmarks-page.js";
import { showRun } from "./run-page.js";
import { showRuns } from "./runs-page.js";

const main = document.getElementById("main");
let endPage = () => {};

function route() {
  const [path, parameters = ""] = location.hash.replace(/^#/, "").split("?");
  const [, first = "", second = ""] = path.split("/");
  endPage();
  let page = "runs";
  if (first === "runs" && second) {
    const runId = decodeURIComponent(second);
    document.title = `${runId} · Benchmarks`;
    endPage = showRun(main, runId);
  } else if (first === "benchmarks") {
    page = "benchmarks";
    document.title = "Benchmarks";
    endPage = showBenchmarks(main);
  } else {
    document.title = "Runs · Benchmarks";
    endPage = showRuns(main, parameters);
  }
  for (const link of document.querySelectorAll("[data-page]")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  window.scrollTo(0, 0);
}

document.addEventListener("head", ({ detail }) => {
  document.getElementById("head").textContent = detail.position ? `#${detail.position} ${detail.hash.slice(0, 12)}` : "";
});

const saved = localStorage.getItem("theme");
if (saved) document.documentElement.dataset.theme = saved;
document.getElementById("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
});

window.addEventListener("hashchange", route);
route();
