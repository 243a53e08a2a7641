// The events of a run, each with its place in the hash chain. Events never change, and more may follow.

import { h, keep } from "./dom.js";
import { count, moment, plural, score } from "./format.js";
import { panel } from "./parts.js";
import { visible } from "./visible.js";

/** @typedef {{ seq: number, type: string, at: string, hash: string, chain_verified: boolean, data: Record<string, any> }} Event */

export class Timeline {
  constructor() {
    this.state = h("span", {});
    this.list = h("ol", { class: "timeline" });
    this.element = panel("Events", this.list, this.state);
  }

  /** @param {Event[]} events */
  draw(events) {
    const broken = events.filter((event) => !event.chain_verified).length;
    this.state.className = "state";
    this.state.replaceChildren(
      h("span", { class: `dot ${broken ? "bad" : "good"}` }),
      broken ? `hash mismatch in ${plural(broken, "event")}` : "chain verified",
    );
    this.state.title = "The hash of each event was computed again from its bytes, and compared with the next event";
    keep(
      this.list,
      beats(events).map((some) => [
        `${some[0].seq}`,
        [some.length, some[0].chain_verified],
        () => (some.length > 1 ? heartbeats(some) : one(some[0])),
      ]),
    );
  }
}

/** The events as a list of lists: heartbeats that follow each other stand together. @param {Event[]} events */
function beats(events) {
  /** @type {Event[][]} */
  const groups = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (event.type === "heartbeat" && event.chain_verified && last?.[0].type === "heartbeat" && last[0].chain_verified)
      last.push(event);
    else groups.push([event]);
  }
  return groups;
}

const one = (/** @type {Event} */ event) =>
  entry(
    event,
    [h("span", { class: "kind" }, event.type), h("span", {}, moment(event.at)), gist(event), place(event)],
    () => event,
  );

/** An event in a few words. @param {Event} event */
function gist({ type, data }) {
  /** @type {Record<string, () => any>} */
  const texts = {
    started: () => `attempt ${data.attempt}`,
    finished: () => data.score !== null && data.score !== undefined && `score ${score(data.score, data.stderr)}`,
    failed: () => data.reason,
    recovered: () => data.reason,
    annotated: () => `${data.author}: ${data.note}`,
    retracted: () => `${data.author}: ${data.reason}`,
    reinstated: () => `${data.author}: ${data.reason}`,
    samples_excluded: () => `${data.author}: ${data.reason}`,
    samples_included: () => `${data.author}: ${data.reason}`,
    rescored: () => `${data.author}: ${data.scorer.name}`,
    reproduced: () => `${data.verdict.replace("_", " ")}, of ${data.of.run}, by ${data.by}`,
    cancel_requested: () => [data.author, data.reason].filter(Boolean).join(": "),
    heartbeat: () => data.progress && `${data.progress.done}${data.progress.total ? ` of ${data.progress.total}` : ""}`,
  };
  const gist = texts[type]?.();
  return gist && h("span", { class: "soft" }, gist);
}

/** @param {Event[]} events */
function heartbeats(events) {
  const last = events[events.length - 1];
  const { progress } = last.data;
  const reached = progress && `${progress.done}${progress.total ? ` of ${progress.total}` : ""}`;
  const line = [
    h("span", { class: "kind" }, "heartbeat"),
    h("span", {}, `${count(events.length)} times, until ${moment(last.at)}`),
    reached && h("span", { class: "soft" }, reached),
    place(last),
  ];
  return entry(last, line, () => events);
}

const place = (/** @type {Event} */ event) =>
  h(
    "span",
    { class: event.chain_verified ? "mono soft" : "mono error", title: event.hash },
    `#${event.seq} ${event.hash.slice(0, 12)}`,
    event.chain_verified ? "" : " ✕ hash mismatch",
  );

/** @param {Event} event @param {any[]} line @param {() => any} data its whole content */
function entry(event, line, data) {
  const whole = h("pre", { class: "mono", tabindex: "0", "aria-label": `Event ${event.seq}` });
  // Thousands of heartbeats as text would make the page heavy, so the text is made when a reader opens it.
  const write = () => (whole.textContent ||= visible(JSON.stringify(data(), null, 2)));
  return h("li", { class: event.type }, h("details", {}, h("summary", { onclick: write }, line), whole));
}
