// Lets times tick: "4 min 10 s" since a time, or until one, by the server's clock. The server writes the same words.

const UNITS = [[86_400, "d", 3_600, "h"], [3_600, "h", 60, "min"], [60, "min", 1, "s"]];
const QUIET = "[aria-live], [role=status], [role=alert]"; // A screen reader would say every second.

let ahead = 0; // How many milliseconds the server's clock is ahead of the browser's.

// Take the server's time from a page that has just come.
export function setClock(shown) {
  const now = Date.parse(shown.querySelector("main")?.dataset.now);
  if (now) ahead = now - Date.now();
}

// Return the time by the server's clock, in milliseconds.
export function serverTime() {
  return Date.now() + ahead;
}

// Let all times of the page tick, now and every second.
export function startClock() {
  setClock(document);
  setInterval(tick, 1_000);
  document.addEventListener("visibilitychange", tick);
  tick();
}

export function tick() {
  if (document.hidden) return;
  const now = serverTime();
  for (const time of document.querySelectorAll("time[data-since], time[data-until]")) {
    const { since, until } = time.dataset;
    const words = span((since ? now - Date.parse(since) : Date.parse(until) - now) / 1_000);
    if (time.textContent !== words && !time.closest(QUIET)) time.textContent = words;
  }
}

// Return a duration in its two largest units, as the server does.
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  for (const [size, unit, smaller, small] of UNITS) {
    if (whole >= size) return `${Math.floor(whole / size)} ${unit} ${Math.floor((whole % size) / smaller)} ${small}`;
  }
  return `${whole} s`;
}
