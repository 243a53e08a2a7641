// A sample as two runs answered it: both transcripts step by step, the difference of their outputs, and a playback.

import { runLink } from "./address.js";
import { get, runPath } from "./api.js";
import { contendersOf } from "./contenders.js";
import { diffView } from "./diff-view.js";
import { announce, h } from "./dom.js";
import { cost, count, plural, score } from "./format.js";
import { useKeys } from "./keys.js";
import { outcomeMark, pretty, sampleLink } from "./sample.js";
import { answers } from "./sample-page.js";
import { empty, failure, loading } from "./states.js";
import { milliseconds, turnView } from "./transcript.js";

const VIEWS = { steps: "Side by side", output: "Output difference", play: "Playback", fields: "All fields" };
const OUTPUTS = ["output", "answer", "response", "completion", "prediction"];
const MAX_EQUAL = 2; // Equal steps in a row that are shown; more are folded.
const PLAY_MS = 1600;
const WORDS = { same: "same", results: "same call, other result", other: "different", only: "only here" };

/** @type {import("./routes.js").Show} */
export function show(main, { query }, context) {
  const { signal } = context;
  const state = {
    a: query.get("a") ?? "",
    b: query.get("b") ?? "",
    id: query.get("id") ?? "",
    id_b: query.get("id_b"),
    view: query.get("view") ?? "",
    step: Number(query.get("step")) || 0,
  };
  const place = h("div", {}, loading());
  const choosers = h("div", { class: "panel pair-head" });
  /** @type {any} */
  let now = null;
  /** @type {{ name: string, run_id: string }[]} */
  let contenders = [];
  /** @type {Record<string, any>} */
  const about = {};
  let turn = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let playing;
  const title = h("h1", { class: "mono" }, state.id || "Sample");
  main.replaceChildren(h("div", { class: "intro" }, title, h("p", {}, "two answers to one sample")), choosers, place);
  context.title(`${state.id} · Compare`);
  useKeys(
    [
      { keys: ["n"], about: "first difference", act: () => jump() },
      { keys: ["ArrowRight", "j"], about: "next step of the playback", act: () => stepTo(state.step + 1) },
      { keys: ["ArrowLeft", "k"], about: "previous step of the playback", act: () => stepTo(state.step - 1) },
      { keys: ["p"], about: "play or pause", act: () => play() },
    ],
    signal,
  );
  signal.addEventListener("abort", () => clearInterval(playing));

  const remember = () =>
    context.keep(
      {
        a: state.a,
        b: state.b,
        id: state.id,
        id_b: state.id_b,
        view: state.view || null,
        step: state.view === "play" && state.step ? state.step : null,
      },
      { replace: true },
    );

  async function load() {
    const mine = ++turn;
    try {
      await describe();
      drawChoosers();
      if (!state.b) {
        place.replaceChildren(
          empty("Choose a second run", "Every contender that has run this benchmark is in the list above."),
        );
        return context.ready();
      }
      const answer = await get("/api/compare/transcripts", {
        query: { a: state.a, b: state.b, id: state.id, id_b: state.id_b },
        signal,
      });
      if (mine !== turn || !answer) return undefined;
      now = answer.value;
      drawChoosers();
      await draw();
    } catch (problem) {
      if (mine !== turn || signal.aborted) return undefined;
      place.replaceChildren(failure("The samples cannot be compared", /** @type {Error} */ (problem).message, load));
    }
    return context.ready();
  }

  /** Who made the runs, and who else has run their benchmark. */
  async function describe() {
    for (const id of [state.a, state.b].filter((one) => one && !about[one]))
      about[id] = /** @type {any} */ (await get(runPath(id), { signal })).value.run;
    if (contenders.length || !state.a) return;
    const { all, cells } = await contendersOf(about[state.a], state.id, signal);
    contenders = all;
    if (state.b) return;
    // The answer that differs says most.
    const mine = cells.find((one) => one.run_id === state.a)?.cell;
    const others = cells.filter((one) => one.run_id !== state.a);
    const other = others.find((one) => one.cell.score !== mine?.score) ?? others[0];
    if (!other) return;
    state.b = other.run_id;
    remember();
    about[state.b] = /** @type {any} */ (await get(runPath(state.b), { signal })).value.run;
  }

  function drawChoosers() {
    const parts = /** @type {const} */ (["a", "b"]).map((side, at) => {
      const chosen = state[side];
      const run = about[chosen];
      const found = now?.[side];
      const choices = [...contenders];
      if (chosen && !choices.some((one) => one.run_id === chosen))
        choices.unshift({ run_id: chosen, name: run ? nameOf(run) : chosen });
      const select = h(
        "select",
        {
          "aria-label": `Run ${side.toUpperCase()}`,
          onchange: (/** @type {any} */ event) => choose(side, event.target.value),
        },
        chosen ? "" : h("option", { value: "" }, "choose …"),
        choices.map((one) => h("option", { value: one.run_id, selected: one.run_id === chosen }, one.name)),
      );
      const row = found?.row;
      return h(
        "section",
        { class: "pair-side" },
        h("div", {}, h("span", { class: `letter side-${at}` }, side.toUpperCase()), " ", select),
        row
          ? h(
              "p",
              { class: "about" },
              outcomeMark(row.outcome, { words: true }),
              row.score === null ? "" : h("span", {}, score(row.score)),
              row.latency_ms === null ? "" : h("span", { class: "soft" }, milliseconds(row.latency_ms)),
              row.tokens === null ? "" : h("span", { class: "soft" }, `${count(row.tokens)} tokens`),
              row.cost_usd === null ? "" : h("span", { class: "soft" }, cost(row.cost_usd)),
            )
          : "",
        chosen
          ? h(
              "p",
              { class: "about" },
              found ? h("a", { href: sampleLink(chosen, { id: found.id, line: null }) }, "sample") : "",
              h("a", { href: runLink(chosen) }, "run"),
              h("span", { class: "soft mono id" }, chosen),
            )
          : "",
      );
    });
    choosers.replaceChildren(...parts);
  }

  /** @param {"a" | "b"} side @param {string} runId */
  function choose(side, runId) {
    state[side] = runId;
    state.step = 0;
    if (side === "b") state.id_b = null;
    now = null;
    context.keep({ a: state.a, b: state.b, id: state.id, view: state.view || null });
    return load();
  }

  async function draw() {
    clearInterval(playing);
    const { a, b, steps, missing } = now;
    const problems = [...missing, ...[a, b].filter((one) => one?.problem).map((one) => one.problem)];
    const names = /** @type {(keyof VIEWS)[]} */ (Object.keys(VIEWS)).filter((name) =>
      name === "steps" || name === "play" ? steps.length : a?.sample && b?.sample,
    );
    const view = names.includes(/** @type {keyof VIEWS} */ (state.view)) ? state.view : names[0];
    const bodies = { steps: sideBySide, output: outputs, play: playback, fields };
    place.replaceChildren(
      problems.length ? h("p", { class: "panel notice-line error" }, problems.join("; ")) : "",
      missing.length && b === null ? await others() : "",
      names.length
        ? h(
            "section",
            { class: "panel wide" },
            h(
              "div",
              { class: "sample-tabs" },
              h(
                "div",
                { class: "tabs", role: "group", "aria-label": "Views" },
                names.map((name) =>
                  h(
                    "button",
                    { type: "button", "aria-pressed": String(name === view), onclick: () => setView(name) },
                    VIEWS[name],
                  ),
                ),
              ),
              steps.length ? divergence() : "",
            ),
            h("div", { class: "inside" }, bodies[/** @type {keyof bodies} */ (view)]()),
          )
        : problems.length
          ? ""
          : empty("Nothing to compare", "Neither run has a transcript or an output of this sample."),
    );
  }

  /** Names in the second run, if it calls its samples otherwise. */
  async function others() {
    const path = runPath(state.b);
    const [samples, trajectories] = await Promise.all([
      get(`${path}/samples`, { query: { brief: 1, facets: 0, limit: 200 }, signal }),
      get(`${path}/trajectories`, { query: { limit: 200 }, signal }),
    ]);
    const names = [
      ...(samples?.value.rows ?? []).map((/** @type {any} */ one) => one.id),
      ...(trajectories?.value.trajectories ?? []).map((/** @type {any} */ one) => one.name),
    ];
    if (!names.length) return "";
    return h(
      "p",
      { class: "panel notice-line" },
      "Compare with ",
      h(
        "select",
        {
          "aria-label": "Sample of B",
          onchange: (/** @type {any} */ event) => rename(event.target.value),
        },
        h("option", { value: "" }, "another sample of B …"),
        names.map((name) => h("option", { value: name }, name)),
      ),
    );
  }

  /** @param {string} name */
  function rename(name) {
    state.id_b = name;
    remember();
    return load();
  }

  /** @param {string} view */
  function setView(view) {
    state.view = view;
    remember();
    return draw();
  }

  function divergence() {
    const { first_divergence: first, steps } = now;
    if (first === null) return h("span", { class: "soft" }, `${plural(steps.length, "step")}, all the same`);
    return h(
      "button",
      { type: "button", onclick: jump },
      `First difference: step ${count(first + 1)} of ${count(steps.length)}`,
    );
  }

  async function jump() {
    const first = now?.first_divergence;
    if (first === null || first === undefined) return;
    if (state.view === "play") return void stepTo(first);
    if (state.view && state.view !== "steps") await setView("steps");
    const row = document.getElementById(`step-${first + 1}`);
    row?.scrollIntoView({ block: "center" });
    row?.focus({ preventScroll: true });
  }

  /** @param {any} step @param {number} at */
  function row(step, at) {
    const [left, right] = [now.a.transcript.turns[step.a], now.b.transcript.turns[step.b]];
    const mark = step.difference;
    return h(
      "li",
      { id: `step-${at + 1}`, class: `step ${mark}`, tabindex: "-1" },
      h(
        "div",
        { class: "step-head" },
        h("strong", {}, `Step ${count(at + 1)}`),
        h(
          "span",
          { class: mark === "same" ? "soft" : "differs" },
          mark === "only" ? `only ${step.a === null ? "B" : "A"}` : WORDS[/** @type {keyof WORDS} */ (mark)],
        ),
        at === now.first_divergence ? h("span", { class: "mark" }, "first difference") : "",
      ),
      h(
        "div",
        { class: "step-sides" },
        left ? turnView(left, step.a) : h("p", { class: "soft none" }, "no such step"),
        right ? turnView(right, step.b) : h("p", { class: "soft none" }, "no such step"),
      ),
      left && right && mark !== "same"
        ? h(
            "details",
            {
              ontoggle: (/** @type {any} */ { target }) =>
                target.childElementCount < 2 && target.append(diffView(asText(left), asText(right), ["A", "B"])),
            },
            h("summary", { class: "soft" }, "What is different"),
          )
        : "",
    );
  }

  function sideBySide() {
    /** @type {any[]} */
    const rows = [];
    const { steps } = now;
    for (let at = 0; at < steps.length; at += 1) {
      let end = at;
      while (end < steps.length && steps[end].difference === "same") end += 1;
      if (end - at > MAX_EQUAL) {
        const some = steps.slice(at, end);
        const from = at;
        const open = h(
          "button",
          {
            type: "button",
            class: "unchanged",
            onclick: () =>
              item.replaceWith(
                ...some.map((/** @type {any} */ step, /** @type {number} */ index) => row(step, from + index)),
              ),
          },
          `${some.length} equal steps`,
        );
        const item = h("li", { class: "step folded" }, open);
        rows.push(item);
        at = end - 1;
      } else rows.push(row(steps[at], at));
    }
    return h("ol", { class: "plain aligned" }, rows);
  }

  function outputs() {
    const [left, right] = [now.a, now.b].map(
      ({ sample }) =>
        sample[OUTPUTS.find((name) => sample[name] !== undefined && sample[name] !== null) ?? ""] ?? sample.error ?? "",
    );
    return diffView(pretty(left), pretty(right), ["Output of A", "Output of B"]);
  }

  const fields = () =>
    h(
      "div",
      { class: "columns even" },
      [now.a, now.b].map((one, at) => h("div", {}, h("h2", {}, "AB"[at]), answers(one.sample, one.told_in))),
    );

  function playback() {
    const { steps } = now;
    state.step = Math.max(0, Math.min(steps.length - 1, state.step));
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const button = (
      /** @type {string} */ label,
      /** @type {string} */ text,
      /** @type {() => void} */ onclick,
      off = false,
    ) => h("button", { type: "button", "aria-label": label, title: label, disabled: off, onclick }, text);
    const slider = h("input", {
      type: "range",
      min: "0",
      max: String(steps.length - 1),
      value: String(state.step),
      "aria-label": "Step",
      oninput: (/** @type {any} */ event) => stepTo(Number(event.target.value), false),
    });
    return h(
      "div",
      { class: "playback" },
      h(
        "div",
        { class: "play-tools" },
        button("First step", "«", () => stepTo(0), state.step === 0),
        button("Previous step", "‹", () => stepTo(state.step - 1), state.step === 0),
        // Nothing moves by itself for a reader who asked for that.
        still
          ? ""
          : h("button", { type: "button", "data-play": "", "aria-pressed": "false", onclick: () => play() }, "Play"),
        button("Next step", "›", () => stepTo(state.step + 1), state.step === steps.length - 1),
        button("First difference", "≠", () => stepTo(now.first_divergence ?? 0), now.first_divergence === null),
        slider,
        h("span", { class: "soft" }, `${count(state.step + 1)} of ${count(steps.length)}`),
      ),
      h(
        "div",
        { class: "ticks", "aria-hidden": "true" },
        steps.length <= 400
          ? steps.map((/** @type {any} */ step, /** @type {number} */ at) =>
              h("i", { class: `${step.difference} ${at === state.step ? "now" : ""}`.trim() }),
            )
          : "",
      ),
      h("ol", { class: "plain aligned" }, row(steps[state.step], state.step)),
    );
  }

  /** @param {number} step @param {boolean} [byButton] */
  function stepTo(step, byButton = true) {
    if (state.view !== "play" || !now) return;
    const { steps } = now;
    if (step < 0 || step >= steps.length) return;
    state.step = step;
    remember();
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.getAttribute("aria-label");
    const inside = /** @type {HTMLElement} */ (place.querySelector(".playback"));
    const fresh = playback();
    const button = fresh.querySelector("[data-play]");
    if (playing && button) {
      button.textContent = "Pause";
      button.setAttribute("aria-pressed", "true");
    }
    inside.replaceWith(fresh);
    if (focused)
      /** @type {HTMLElement | null} */ (
        fresh.querySelector(`[aria-label="${CSS.escape(focused)}"]:not(:disabled)`)
      )?.focus({ preventScroll: true });
    if (byButton && !playing)
      announce(`Step ${step + 1}: ${WORDS[/** @type {keyof WORDS} */ (steps[step].difference)]}`);
  }

  function play() {
    if (state.view !== "play" || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const button = place.querySelector("[data-play]");
    const wasPlaying = playing !== undefined;
    clearInterval(playing);
    playing = undefined;
    if (!wasPlaying) {
      playing = setInterval(() => {
        if (state.step + 1 < now.steps.length) stepTo(state.step + 1);
        else play();
      }, PLAY_MS);
      if (state.step + 1 >= now.steps.length) stepTo(0);
    }
    if (button) {
      button.textContent = wasPlaying ? "Play" : "Pause";
      button.setAttribute("aria-pressed", String(!wasPlaying));
    }
  }

  load();
}

/** @param {any} run */
const nameOf = (run) => `${run.agent} with ${run.provider}:${run.model}`;

/** What a turn says and calls, as a text. @param {any} turn @returns {string} */
function asText(turn) {
  const of = (/** @type {any} */ part) => {
    if (part.kind === "call")
      return `→ ${part.name} ${pretty(part.data ?? {})}\n${(part.results ?? []).map(of).join("\n")}`;
    if (part.kind === "result") return (part.results ?? []).map(of).join("\n");
    return part.text ?? pretty(part.data);
  };
  return (turn.parts ?? []).map(of).join("\n");
}
