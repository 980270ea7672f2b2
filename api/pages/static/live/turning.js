// Turns a page over by time alone: a job that tells nothing becomes late, and no event tells of that. The server knows
// when: <main data-turns> is the time after which its page is another one.

import { serverTime } from "./clock.js";

const LOOK_MS = 1_000;
const PAUSE_MS = 5_000; // The server may not have answered yet.
const MOST_LATER_MS = 3_000; // Not all pages that show a job ask in the same second.

// Call `look()` once the time of the page that is shown has come. A timer of that length would lose the hours in which a
// machine slept.
export function startTurning(look) {
  const later = MOST_LATER_MS * Math.random();
  let lookedAt = -Infinity; // by a clock that nobody sets back
  setInterval(() => {
    const turns = Date.parse(document.querySelector("main").dataset.turns);
    if (!(serverTime() > turns + later) || performance.now() - lookedAt < PAUSE_MS) return;
    lookedAt = performance.now();
    look();
  }, LOOK_MS);
}
