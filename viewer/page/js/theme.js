// Before the first paint: the theme that somebody chose here before.

try {
  const saved = localStorage.getItem("theme");
  if (saved) document.documentElement.dataset.theme = saved;
} catch {
  // Where storage is forbidden, the system's theme stands.
}
