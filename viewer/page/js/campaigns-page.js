// All campaigns, the newest first.

import { campaignLink, campaignName, countsText } from "./campaigns.js";
import { dataTable } from "./data-table.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { cost, count, plural } from "./format.js";
import { when } from "./parts.js";
import { empty } from "./states.js";

const PAGE = 50;

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
  const summary = h("p", {});
  const place = h("div", {});
  const board = h("div", { class: "stack" });
  main.replaceChildren(h("div", { class: "intro" }, h("h1", {}, "Campaigns"), summary), place);
  const offset = () => Math.max(0, Number(query.get("offset")) || 0);

  function turn(/** @type {number} */ to) {
    if (to) query.set("offset", String(to));
    else query.delete("offset");
    keepAddress(query);
    load({ fresh: true });
  }

  function draw(/** @type {any} */ { campaigns, total }) {
    summary.textContent = plural(total, "campaign");
    if (!total) {
      place.replaceChildren(empty("No campaigns yet", "Each `benchmarks run` command is a campaign."));
      return ready();
    }
    if (place.firstChild !== board) place.replaceChildren(board);
    keep(board, [
      ["table", campaigns, () => h("div", { class: "panel board" }, table(campaigns))],
      [
        "pages",
        [offset(), total],
        () =>
          h(
            "div",
            { class: "pages" },
            offset() > 0 && h("button", { type: "button", onclick: () => turn(Math.max(0, offset() - PAGE)) }, "Newer"),
            offset() + PAGE < total && h("button", { type: "button", onclick: () => turn(offset() + PAGE) }, "Older"),
          ),
      ],
    ]);
    return ready();
  }

  const load = follow(place, {
    path: "/api/campaigns",
    query: () => ({ limit: PAGE, offset: offset() || null }),
    what: "The campaigns",
    draw,
    signal,
  });
}

/** @param {any[]} campaigns */
const table = (campaigns) =>
  dataTable({
    caption: "Campaigns",
    rows: campaigns,
    columns: [
      {
        key: "name",
        title: "Campaign",
        cell: (one) => [
          h("span", { class: `dot ${one.finished_at ? (one.counts.failed ? "warn" : "good") : "live"}` }),
          h("a", { href: campaignLink(one.run_group_id) }, campaignName(one)),
        ],
      },
      { key: "began", title: "Began", cell: (one) => when(one.created_at) },
      { key: "cells", title: "Cells", cell: countsText },
      { key: "models", title: "Models", number: true, kind: "minor", cell: (one) => count(one.models.length) },
      { key: "runs", title: "Runs", number: true, kind: "minor", cell: (one) => count(one.runs) },
      {
        key: "cost",
        title: "Spend",
        number: true,
        cell: (one) => [
          cost(one.cost_usd),
          one.limits.max_cost ? h("span", { class: "soft" }, ` of ${cost(one.limits.max_cost)}`) : "",
        ],
      },
      {
        key: "state",
        title: "State",
        kind: "minor",
        cell: (one) => (one.finished_at ? "closed" : h("strong", {}, "running")),
      },
    ],
  });
