// Before the first paint: the theme that was chosen before.

try {
  const saved = localStorage.getItem("theme");
  if (saved) document.documentElement.dataset.theme = saved;
} catch {
  // Without storage the theme of the system is used.
}
