// Turns a page over by time alone: a job that tells nothing becomes late, and no event tells of that. The server knows
// when: <main data-turns> is the time after which its page is another one.

import { serverTime } from "./clock.js";

const LOOK_MS = 1_000;
const PAUSE_MS = 5_000; // The server may not have answered yet.

// Call `look()` once the time of the page that is shown has come. A timer of that length would lose the hours in which a
// machine slept.
export function startTurning(look) {
  let lookedAt = -Infinity;
  setInterval(() => {
    const turns = Date.parse(document.querySelector("main").dataset.turns);
    if (!(serverTime() > turns) || Date.now() - lookedAt < PAUSE_MS) return;
    lookedAt = Date.now();
    look();
  }, LOOK_MS);
}
