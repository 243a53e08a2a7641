// How values look.

const SYMBOLS = { running: "●", succeeded: "✓", failed: "✕" };

export const statusSymbol = (status) => SYMBOLS[status] ?? "·";

export function score(value, stderr) {
  if (value === null || value === undefined) return "";
  const text = Math.abs(value) < 100 ? value.toFixed(3) : value.toFixed(1);
  return stderr === null || stderr === undefined ? text : `${text} ± ${stderr.toFixed(3)}`;
}

export function signed(value) {
  if (value === null || value === undefined) return "";
  return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${score(Math.abs(value))}`;
}

/** Whether a delta is good news: "better", "worse" or "". */
export function direction(delta, higherIsBetter) {
  if (!delta) return "";
  return delta > 0 === (higherIsBetter !== false) ? "better" : "worse";
}

export function count(value) {
  return value === null || value === undefined ? "" : value.toLocaleString("en");
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(size) {
  const units = ["B", "kB", "MB", "GB"];
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit ? value.toFixed(1) : value} ${units[unit]}`;
}

export function ago(iso) {
  if (!iso) return "";
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  if (seconds < 45) return "just now";
  for (const [size, name] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
    const amount = Math.round(seconds / size);
    if (seconds >= size * 0.95) return `${amount} ${name}${amount === 1 ? "" : "s"} ago`;
  }
  return "1 minute ago";
}

export const moment = (iso) => (iso ? iso.slice(0, 19).replace("T", " ") + " UTC" : "");

/** Terminal output as plain text: colours and cursor movements taken out. */
export function plain(text) {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007]*(\u0007|\u001b\\)|[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "");
}
