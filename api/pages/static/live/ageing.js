// Lets a sentence such as "No heartbeat for 1 min 41 s" go on: it ages by time alone, and no event tells of that.
// Only the server can write it, so the page is asked for again.

const EVERY_MS = 10_000;
const UNWELL = "main .status[data-state=late], main .status[data-state=unresponsive]";

// Call `look()` again and again while the page shows a job whose health is not ok, and somebody can see it.
export function startAgeing(look) {
  setInterval(() => {
    if (!document.hidden && document.querySelector(UNWELL)) look();
  }, EVERY_MS);
}
