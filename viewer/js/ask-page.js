// Ask: the place that the header's link leads to.

import { h } from "./dom.js";
import { empty } from "./states.js";

/** @type {import("./routes.js").Show} */
export function show(main) {
  main.replaceChildren(h("div", { class: "intro" }, h("h1", {}, "Ask")), empty("Nothing to see here yet", "This page is being made."));
}
