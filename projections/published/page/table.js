// The page of a published table: it shows the table's event, and checks every line, proof, signature and figure here.
// Nothing is loaded, nothing is sent, and every text is set as text.

const data = JSON.parse(document.getElementById("table").textContent);
const subtle = globalThis.crypto?.subtle;
const utf8 = new TextEncoder();
const CLOSE = 1e-9;

// ---- bytes

const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (two) => parseInt(two, 16));
const base64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const sha256 = async (bytes) => new Uint8Array(await subtle.digest("SHA-256", bytes));

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

function equal(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length && names.every((name) => name in other && equal(one[name], other[name]))
  );
}

const isClose = (one, other) =>
  one === other ||
  (one != null && other != null && Math.abs(one - other) <= CLOSE * Math.max(1, Math.abs(one), Math.abs(other)));

// ---- the tree (RFC 6962): a node is computed once, many proofs share it

const nodes = new Map();

function node(left, right) {
  const key = hex(left) + hex(right);
  if (!nodes.has(key)) nodes.set(key, sha256(joined([1], left, right)));
  return nodes.get(key);
}

async function rootOf(leaf, index, size, proof) {
  if (!(index >= 0 && index < size)) throw new Error("its place is not in the tree");
  let [at, last, root] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) throw new Error("its proof is too long");
    if (at % 2 === 1 || at === last) {
      root = await node(sibling, root);
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else root = await node(root, sibling);
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  if (last !== 0) throw new Error("its proof is too short");
  return root;
}

// ---- checkpoints and their signatures (C2SP signed-note, cosignature/v1)

function parseNote(note) {
  const cut = note.lastIndexOf("\n\n");
  const text = cut < 0 ? note : note.slice(0, cut + 1);
  const [origin, size, root] = text.split("\n");
  if (!/^(0|[1-9][0-9]*)$/.test(size ?? "") || !root) throw new Error("the checkpoint is damaged");
  const signatures = (cut < 0 ? "" : note.slice(cut + 2))
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [, name, encoded] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
      if (!name) throw new Error("a signature of the checkpoint is damaged");
      const raw = base64(encoded);
      return { name, id: raw.slice(0, 4), signature: raw.slice(4) };
    });
  return { text, origin, size: Number(size), root: base64(root), signatures };
}

/** Whether a key has signed the note: a sentence, and whether it is good (true), bad (false) or unknown (null). */
async function judge(note, key) {
  const [, name, encoded] = /^([^+\s]+)\+[0-9a-f]{8}\+(\S+)$/.exec(key.trim()) ?? [];
  if (!name) return { good: false, text: `This is not a public key: ${key.slice(0, 60)}` };
  let raw;
  try {
    raw = base64(encoded);
  } catch {
    return { good: false, text: `The public key of ${name} is damaged.` };
  }
  const id = (await sha256(joined(utf8.encode(`${name}\n`), raw))).slice(0, 4);
  const mine = note.signatures.find((one) => one.name === name && same(one.id, id));
  if (!mine) return { good: false, text: `${name} has not signed the checkpoint with this key.` };
  let [message, signature, when] = [utf8.encode(note.text), mine.signature, ""];
  if (raw[0] === 4) {
    const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
    message = utf8.encode(`cosignature/v1\ntime ${time}\n${note.text}`);
    signature = signature.slice(8);
    when = ` on ${new Date(Number(time) * 1000).toISOString().slice(0, 19)} UTC, as a witness`;
  } else if (name !== note.origin)
    return { good: false, text: `The checkpoint is of ${note.origin}, and the key is that of ${name}.` };
  try {
    const imported = await subtle.importKey("raw", raw.slice(1), { name: "Ed25519" }, false, ["verify"]);
    const good = await subtle.verify({ name: "Ed25519" }, imported, signature, message);
    return good
      ? { good, text: `${name} has signed the checkpoint${when}.` }
      : { good, text: `The signature by ${name} is not by its key, or not for this checkpoint.` };
  } catch {
    return { good: null, text: `This browser cannot verify Ed25519, so the signature by ${name} was not checked.` };
  }
}

// ---- lines

function eventIn(line) {
  const cut = line.lastIndexOf(',"hash":"');
  const event = JSON.parse(line);
  return { event, body: line.slice(0, cut), digest: line.slice(cut + 9, -2) };
}

/** The event of a line, after its hash and its place in the tree are proven. Throws an Error that says what is wrong. */
async function proven({ line, proof }, note) {
  const { event, body, digest } = eventIn(line);
  if (hex(await sha256(utf8.encode(body))) !== digest || line !== `${body},"hash":"${digest}"}`)
    throw new Error(`the line of event ${event.seq} was changed: its hash does not match its bytes`);
  const leaf = await sha256(joined([0], unhex(digest)));
  if (!same(await rootOf(leaf, event.seq - 1, note.size, proof.map(base64)), note.root))
    throw new Error(`event ${event.seq} is not in the tree of the checkpoint`);
  return event;
}

// ---- what the events of a run say

function runOf(events, position) {
  let run = null;
  for (const { seq, type, data, hash } of events) {
    if (seq > position) break;
    if (!run) run = begin(type, data, seq, hash);
    else if (type === "finished" || type === "failed") {
      if (run.status === "running") end(run, data, type === "finished" ? "succeeded" : "failed", seq, hash);
    } else if (type === "recovered" && run.status === "running") {
      end(
        run,
        data.adopted ?? { score: null, samples: null, usage: {}, duration_seconds: data.duration_seconds },
        data.adopted ? "succeeded" : "failed",
        seq,
        hash,
      );
    } else if (type === "retracted" || type === "reinstated") run.retracted = type === "retracted";
    else if (type === "samples_excluded" || type === "samples_included")
      [run.score, run.samples] = [data.anew.score, data.anew.samples];
    else if (type === "rescored") [run.score, run.samples] = [data.score, data.samples];
  }
  return run;
}

function begin(type, data, seq, hash) {
  const from = type === "imported" ? data.run : data;
  const config = { ...from.extra_config };
  delete config.repeat;
  const run = {
    benchmark_id: from.benchmark_id,
    agent: from.agent ?? "",
    provider: from.provider ?? "",
    model: from.model ?? "",
    config,
    revision: from.task_revision?.digest ?? "unknown",
    registration: type === "imported" ? null : (from.registration ?? null),
    status: "running",
    score: null,
    samples: null,
    usage: {},
    seconds: null,
    retracted: false,
    ended: seq,
    hash,
  };
  return type === "imported" ? end(run, data.run, data.run.status, seq, hash) : run;
}

function end(run, data, status, seq, hash) {
  return Object.assign(run, {
    status,
    score: data.score ?? null,
    samples: data.samples ?? null,
    usage: data.usage ?? {},
    seconds: data.duration_seconds ?? null,
    revision: data.task_revision?.digest ?? run.revision,
    ended: seq,
    hash,
  });
}

const total = (values) => (values.some((one) => one == null) ? null : values.reduce((sum, one) => sum + one, 0));
const costOf = ({ cost_usd, cost }) =>
  [cost_usd ?? cost].find((one) => typeof one === "number" && one >= 0 && Number.isFinite(one)) ?? null;

/** What is wrong with a row, in sentences. */
function faultsOf(row, shown, of, broken, position) {
  const faults = differing(row, shown);
  const runs = [];
  for (const published of row.runs) {
    const run = broken.has(published.run_id) ? null : runOf(of.get(published.run_id) ?? [], position);
    if (!run) return [...faults, broken.get(published.run_id) ?? `the events of run ${published.run_id} are missing`];
    runs.push(run);
    const said = {
      benchmark_id: run.benchmark_id,
      agent: run.agent,
      provider: run.provider,
      model: run.model,
      config: run.config,
      revision: run.revision,
    };
    for (const name of Object.keys(said))
      if (!equal(said[name], row[name])) faults.push(`run ${published.run_id} has another ${name} by its events`);
    if (!equal([run.score, run.samples], [published.score, published.samples]))
      faults.push(`run ${published.run_id} has the score ${run.score} of ${run.samples} samples by its events`);
    if (run.ended !== published.seq || run.hash !== published.hash)
      faults.push(`event ${published.seq} is not the one that ended run ${published.run_id}`);
    if (run.retracted && !row.doubts.includes("retracted"))
      faults.push(`run ${published.run_id} was retracted before the table was published`);
    if (run.status !== "succeeded" || run.score === null)
      faults.push(`run ${published.run_id} has no score that counts`);
  }
  const tried = row.attempt_ids.map((id) => (broken.has(id) ? null : runOf(of.get(id) ?? [], position)));
  const lost = tried.findIndex((one) => !one);
  if (lost >= 0) return [...faults, broken.get(row.attempt_ids[lost]) ?? "the events of an attempt are missing"];
  const count = (status) => tried.filter((one) => one.status === status).length;
  const ended = tried.length - count("running");
  const figures = [
    ["score", row.score, runs.reduce((sum, run) => sum + run.score, 0) / runs.length],
    ["repeats", row.repeats, runs.length],
    ["samples", row.samples, runs.at(-1).samples],
    ["registered", row.registered, runs.filter((run) => run.registration !== null).length],
    ["cost_usd", row.cost_usd, total(runs.map((run) => costOf(run.usage)))],
    ["seconds", row.seconds, total(runs.map((run) => run.seconds))],
    ["attempts", row.attempts, tried.length],
    ["successes", row.successes, count("succeeded")],
    ["failures", row.own_failures + row.infrastructure_failures, count("failed")],
    ["completion", row.completion, ended ? count("succeeded") / ended : null],
  ];
  for (const [name, told, found] of figures)
    if (!isClose(told, found)) faults.push(`${name} is ${told}, and the events give ${found}`);
  return faults;
}

function differing(row, shown) {
  if (!shown) return ["the document does not have it"];
  const names = Object.keys(row).filter((name) => !equal(row[name], shown[name]));
  return names.length ? [`${names.join(", ")} of the document is not that of the published event`] : [];
}

// ---- errata and reproductions

const CORRECTIONS = ["retracted", "reinstated", "samples_excluded", "samples_included", "rescored"];

function errataIn(events, rows, position) {
  const places = new Map();
  for (const [at, row] of rows.entries())
    for (const { run_id } of row.runs) places.set(run_id, [...(places.get(run_id) ?? []), at + 1]);
  return events
    .filter(({ seq, type, stream }) => seq > position && places.has(stream) && CORRECTIONS.includes(type))
    .map(({ seq, type, stream, at, data: { author, reason, anew, score } }) => ({
      kind: type,
      run_id: stream,
      rows: places.get(stream),
      seq,
      at,
      author,
      reason,
      score: anew ? anew.score : (score ?? null),
    }));
}

function reproductionsIn(events, ids) {
  const retracted = new Map();
  for (const { type, stream } of events)
    if (type === "retracted" || type === "reinstated") retracted.set(stream, type === "retracted");
  return events
    .filter(({ type, stream, data: event }) => type === "reproduced" && ids.has(event.of.run) && !retracted.get(stream))
    .map(({ seq, stream, data: event }) => ({
      of: event.of.run,
      run_id: stream,
      verdict: event.verdict,
      by: event.by,
      seq,
    }));
}

// ---- the check

async function check() {
  const problems = [];
  const marks = new Map();
  let note;
  try {
    note = parseNote(data.checkpoint);
  } catch (problem) {
    return { problems: [`The checkpoint cannot be read: ${problem.message}.`], marks };
  }
  const published = eventIn(data.published.line).event.data;
  try {
    await proven(data.published, note);
  } catch (problem) {
    problems.push(`The table's own event: ${problem.message}.`);
  }
  if (data.format !== "benchmark-table/1") problems.push(`The document has another format: ${data.format}.`);
  if (data.name !== published.name || data.version !== published.version)
    problems.push(
      `The document calls itself ${data.name} version ${data.version}, and its event says ${published.name} version ${published.version}.`,
    );
  if (data.rows.length !== published.rows.length)
    problems.push(`The document has ${data.rows.length} rows, and its event has ${published.rows.length}.`);
  const [of, broken, events] = [new Map(), new Map(), []];
  const found = await Promise.allSettled(data.events.map((one) => proven(one, note)));
  found.forEach((one, at) => {
    if (one.status === "fulfilled") {
      events.push(one.value);
      of.set(one.value.stream, [...(of.get(one.value.stream) ?? []), one.value]);
      return;
    }
    let stream = "";
    try {
      stream = eventIn(data.events[at].line).event.stream;
    } catch {
      // The sentence below does not name it.
    }
    if (!broken.has(stream)) broken.set(stream, `run ${stream || "unknown"}: ${one.reason.message}`);
  });
  events.sort((one, other) => one.seq - other.seq);
  const behind = new Set();
  published.rows.forEach((row, at) => {
    for (const id of [...row.runs.map((run) => run.run_id), ...row.attempt_ids]) behind.add(id);
    const faults = faultsOf(row, data.rows[at], of, broken, published.position);
    if (faults.length) marks.set(at, faults[0]);
    for (const fault of faults) problems.push(`Row ${at + 1} (${nameOf(row)}): ${fault}.`);
  });
  for (const [stream, text] of broken) if (!behind.has(stream)) problems.push(`${text}.`);
  if (!equal(data.errata, errataIn(events, published.rows, published.position)))
    problems.push("The errata are not those that the events say.");
  if (!equal(data.reproductions, reproductionsIn(events, behind)))
    problems.push("The reproductions are not those that the events say.");
  return { problems, marks, note, events: events.length };
}

// ---- the page

const byId = (id) => document.getElementById(id);
const nameOf = (row) => `${row.benchmark_id}, ${row.agent} with ${row.provider}:${row.model}`;

function make(name, text = "", kind = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

const shown = (value, digits = 4) =>
  value == null ? "" : Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(digits)));
const percent = (value) => (value == null ? "" : `${Math.floor(value * 1000 + 1e-9) / 10}%`);

function optionsOf(row) {
  return Object.entries(row.config)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

function reproducedOf(row) {
  const ids = new Set([...row.runs.map((run) => run.run_id), ...row.attempt_ids]);
  const mine = data.reproductions.filter((one) => ids.has(one.of));
  if (!mine.length) return "";
  const order = ["same", "within_noise", "differs"];
  const worst = order[Math.max(...mine.map((one) => order.indexOf(one.verdict)))];
  return `by ${new Set(mine.map((one) => one.by)).size}, ${worst.replace("_", " ")}`;
}

const COLUMNS = [
  ["rank", "number", (row) => row.rank],
  ["benchmark", "", (row) => row.benchmark_id],
  ["options", "soft", optionsOf],
  ["contender", "contender", (row) => `${row.agent} with ${row.provider}:${row.model}`],
  ["score", "number score", (row) => `${shown(row.score)}${row.unit && row.unit !== "ratio" ? ` ${row.unit}` : ""}`],
  [
    "95% interval",
    "number",
    (row) => (row.low == null || row.high == null ? "unknown" : `${shown(row.low, 3)} to ${shown(row.high, 3)}`),
  ],
  ["n", "number", (row) => shown(row.samples)],
  ["repeats", "number", (row) => row.repeats],
  ["attempts", "number", (row) => row.attempts],
  ["completion", "number", (row) => percent(row.completion)],
  ["cost", "number", (row) => (row.cost_usd == null ? "unknown" : `$${shown(row.cost_usd)}`)],
  ["registered", "number", (row) => `${row.registered} of ${row.repeats}`],
  ["reproduced", "", reproducedOf],
];

/** Columns that are left out if no row has anything to say in them. */
const OPTIONAL = new Map([
  ["options", (row) => Object.keys(row.config).length > 0],
  ["registered", (row) => row.registered > 0],
  ["reproduced", (row, value) => value(row) !== ""],
]);

function showTable(event) {
  const table = byId("rows");
  const head = table.createTHead().insertRow();
  const columns = COLUMNS.filter(
    ([name, , value]) => !OPTIONAL.has(name) || event.data.rows.some((row) => OPTIONAL.get(name)(row, value)),
  );
  head.append(make("th", "checked"));
  for (const [name, kind] of columns) head.append(make("th", name, kind.includes("number") ? "number" : ""));
  head.append(make("th", "runs"));
  const body = table.createTBody();
  const retracted = new Set(data.errata.flatMap((one) => one.rows));
  event.data.rows.forEach((row, at) => {
    const line = body.insertRow();
    line.dataset.row = at + 1;
    if (retracted.has(at + 1)) line.className = "erratum";
    line.append(make("td", "…", "mark"));
    for (const [, kind, value] of columns) line.append(make("td", String(value(row)), kind));
    const cell = make("td");
    const more = make("button", row.runs.length === 1 ? "1 run" : `${row.runs.length} runs`);
    more.setAttribute("aria-expanded", "false");
    more.addEventListener("click", () => toggle(line, row, more));
    cell.append(more);
    line.append(cell);
  });
}

function toggle(line, row, button) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  if (isOpen) return line.nextSibling.remove();
  const inside = make("tr");
  const cell = make("td");
  cell.colSpan = line.cells.length;
  for (const run of row.runs) {
    cell.append(
      make("div", `${run.run_id}: score ${run.score}, ${run.samples ?? "unknown"} samples, event ${run.seq}`),
    );
    const found = data.events.find((one) => one.line.includes(`"hash":"${run.hash}"}`));
    if (!found) continue;
    const { event, digest } = eventIn(found.line);
    const proof = [
      "c2sp.org/tlog-proof@v1",
      `extra ${btoa(String.fromCharCode(...unhex(digest)))}`,
      `index ${event.seq - 1}`,
      ...found.proof,
      "",
      data.checkpoint,
    ];
    cell.append(
      make("div", "The event, and its proof for ledger verify-proof:", "soft"),
      make("pre", found.line),
      make("pre", proof.join("\n")),
    );
  }
  const others = row.attempt_ids.filter((id) => !row.runs.some((run) => run.run_id === id));
  if (others.length) cell.append(make("div", `Other attempts: ${others.join(", ")}`, "soft"));
  inside.append(cell);
  line.after(inside);
}

const plain = (value) =>
  typeof value === "object" ? Object.values(value).filter(Boolean).map(plain).join(" by ") : String(value);

function showFacts(event) {
  const { data: table, at } = event;
  byId("title").textContent = table.rules.title || table.name;
  byId("subtitle").textContent =
    `${table.name}, version ${table.version}, published by ${table.author} on ${at.slice(0, 10)}`;
  const isSet = (value) =>
    value !== null && value !== "" && !(typeof value === "object" && Object.keys(value).length === 0);
  const facts = Object.entries(table.rules)
    .filter(([name, value]) => !["name", "title"].includes(name) && isSet(value))
    .map(([name, value]) => [
      name.replace("_", " "),
      Array.isArray(value) ? value.map(plain).join(", ") : plain(value),
    ]);
  facts.push(["made from", `${table.position} events`]);
  if (table.registration) {
    const plan = table.registration;
    facts.push(["registration", `${plan.id}: ${plan.standing}, ${plan.outcome.replace("_", " ")}: ${plan.hypothesis}`]);
  }
  for (const [name, value] of facts) byId("facts").append(make("dt", name), make("dd", value));
  byId("checkpoint").textContent = data.checkpoint;
  if (!data.errata.length) byId("errata").append(make("li", "none up to the checkpoint below"));
  for (const one of data.errata) {
    const where = one.rows.length === 1 ? `row ${one.rows[0]}` : `rows ${one.rows.join(", ")}`;
    const score = one.score === null ? "" : `, score ${one.score}`;
    byId("errata").append(
      make(
        "li",
        `${one.at.slice(0, 10)}, ${where}: ${one.run_id} was ${one.kind.replace("_", " ")}${score}, by ${one.author}: ${one.reason}`,
      ),
    );
  }
}

function banner(kind, title, sentences) {
  const box = byId("verdict");
  box.className = `banner ${kind}`;
  box.replaceChildren(make("strong", title));
  if (!sentences.length) return;
  const list = make("ul");
  for (const one of sentences.slice(0, 20)) list.append(make("li", one));
  if (sentences.length > 20) list.append(make("li", `and ${sentences.length - 20} more`));
  box.append(list);
}

async function main() {
  const begun = performance.now();
  const event = eventIn(data.published.line).event;
  showFacts(event);
  showTable(event);
  if (!subtle) {
    banner("mild", "Not checked: this browser does not offer WebCrypto here. Save the page and open the file.", []);
    return;
  }
  const found = await check();
  const signatures = found.note
    ? await Promise.all([...data.keys, ...data.witnesses].map((key) => judge(found.note, key)))
    : [];
  const bad = [...found.problems, ...signatures.filter((one) => one.good === false).map((one) => one.text)];
  for (const line of document.querySelectorAll("#rows tr[data-row]")) {
    const fault = found.marks.get(Number(line.dataset.row) - 1);
    const mark = line.querySelector(".mark");
    const isCorrected = line.classList.contains("erratum");
    mark.textContent = fault ? "✗ wrong" : bad.length ? "? see above" : isCorrected ? "✓ erratum" : "✓ proven";
    mark.className = `mark ${fault ? "bad" : bad.length || isCorrected ? "mild" : "good"}`;
    if (fault) line.classList.add("bad");
  }
  const signed = signatures.filter((one) => one.good).map((one) => one.text);
  if (bad.length) banner("bad", "This page is wrong. Do not use its numbers.", bad);
  else
    banner(
      "good",
      `Scores, samples, attempts and costs follow from ${found.events + 1} of the ${found.note.size} events of the ledger ${found.note.origin}.`,
      signed,
    );
  showUnchecked(found.note, signatures);
  byId("key").addEventListener("change", () => tryKey(found.note));
  byId("took").textContent = `Checked here in ${Math.round(performance.now() - begun)} ms.`;
  document.documentElement.dataset.checked = bad.length ? "bad" : "good";
}

function showUnchecked(note, signatures) {
  const list = [];
  if (!note?.signatures.length) list.push("Who published this: the checkpoint is not signed.");
  else if (!signatures.length) list.push("The signatures: the page names no key. Paste the publisher's key below.");
  else
    list.push(
      "Whether the key is the publisher's: it comes from this page. Compare it with the one that they give elsewhere.",
    );
  for (const one of signatures) if (one.good === null) list.push(one.text);
  list.push(
    "Whether runs were left out of the ledger, or another ledger was kept. A registration or witnesses narrow this.",
    "Intervals, standard errors and ranks: they are those of the event, and were computed by the publisher's program.",
    "The verdict of a registered test, and whether the benchmark measured what it should.",
    "This script: a forged page may carry a forged one. `benchmarks table status FILE` checks the data with your own program.",
  );
  byId("unchecked").replaceChildren(...list.map((text) => make("li", text)));
}

async function tryKey(note) {
  const key = byId("key").value.trim();
  const { good, text } = key ? await judge(note, key) : { good: null, text: "" };
  byId("judged").textContent = text;
  byId("judged").className = good === false ? "bad-text" : "";
}

main().catch((problem) => {
  banner("bad", "This page is wrong. Do not use its numbers.", [`Its data cannot be read: ${problem.message}`]);
  document.documentElement.dataset.checked = "bad";
});
