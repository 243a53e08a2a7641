// The router: which page an address names.

import { hash, here } from "./address.js";
import { h } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { ledger } from "./ledger.js";
import { recall, remember, settled } from "./memory.js";
import { routeOf } from "./routes.js";
import { startShell } from "./shell.js";
import { empty } from "./states.js";
import "./time-travel.js";
import "./times.js";
import { visible } from "./visible.js";

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const rememberScroll = settled(() => remember({ scroll: window.scrollY }), 150);
/** The page that is shown. @type {{ name: string, end: () => void } | null} */
let page = null;
/** The address of each section's list, with the filters that it had last. @type {Record<string, string>} */
const lists = {};

function route() {
  rememberScroll.cancel();
  const before = page?.name;
  page?.end();
  const address = here();
  const found = routeOf(address);
  const name = found?.name ?? "nowhere";
  const controller = new AbortController();
  const { scroll = 0 } = recall();
  const title = (/** @type {string} */ text) => (document.title = visible(`${text} · Benchmarks`));
  if (found && address.id === null) lists[found.section] = location.hash || "#/";
  const context = {
    signal: controller.signal,
    title,
    ready: once(() => window.scrollTo(0, scroll)),
    keep: (/** @type {any} */ query, { replace = false } = {}) => {
      const path = location.hash.replace(/^#/, "").split("?")[0] || "/";
      const there = hash(path, query);
      if (replace) history.replaceState(history.state, "", there);
      else history.pushState({}, "", there);
      if (found && address.id === null) lists[found.section] = there;
    },
    leave: () => {
      if (before && before !== name) history.back();
      else location.hash = lists[found?.section ?? ""] ?? hash(`/${address.page}`);
    },
  };
  main.className = `page-${name}`;
  title(found?.title ?? "Page not found");
  const ended = found
    ? found.show(main, { id: address.id, part: address.part, query: address.query }, context)
    : nowhere();
  page = {
    name,
    end: () => {
      controller.abort();
      ended?.();
    },
  };
  for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-page]"))) {
    if (link.dataset.page === found?.section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (before && before !== name) main.focus({ preventScroll: true });
}

function nowhere() {
  main.replaceChildren(
    h("h1", { class: "visually-hidden" }, "Page not found"),
    empty("Page not found", "Use the links above."),
  );
}

/** @param {() => void} act */
function once(act) {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}

// The cookie has the token now. Remove it from the address, where others could see it or receive it.
const search = new URLSearchParams(location.search);
if (search.has("token")) {
  search.delete("token");
  history.replaceState(history.state, "", location.pathname + (search.size ? `?${search}` : "") + location.hash);
}
history.scrollRestoration = "manual";
window.addEventListener("scroll", rememberScroll, { passive: true });
window.addEventListener("hashchange", route);
listenToKeys();
startShell(main, ledger);
route();
