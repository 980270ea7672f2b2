// Reads server-sent events by fetch. An EventSource gives up on a 503, cannot say that it was answered 401,
// and does not notice a dead connection. What a stream promises: docs/live.md.

const SILENT_MS = 15_000; // The server says something at least every 5 s.
const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 10_000;
const LONG_AWAY_MS = 60_000; // After that, the page is quicker to read than what was missed.

// Follow a stream until the signal aborts, or the server says that it is over.
// Returns "aborted", "ended" (204, or an event "end"), "signed out" (401), or "gone" (403, 404).
//
// `reader.began(isResumed)` is called when a connection is open; without `isResumed`, something may have been missed.
// `reader.heard()` is called for all bytes, `reader.block(position, document)` for each block, where `document` may
// be null, and `reader.lost()` when a connection has ended or cannot be made.
export async function follow(address, position, signal, reader) {
  const state = { position, wait: FIRST_WAIT_MS, failures: 0, heardAt: Date.now() };
  while (!signal.aborted) {
    if (Date.now() - state.heardAt > LONG_AWAY_MS) state.position = undefined;
    const { result, wait } = await connect(address, state, signal, reader);
    if (signal.aborted) break;
    if (result) return result;
    reader.lost();
    await pause(wait ?? Math.min(state.wait * 1.5 ** state.failures, LONGEST_WAIT_MS), signal);
    state.failures += 1;
  }
  return "aborted";
}

async function connect(address, state, signal, reader) {
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  signal.addEventListener("abort", abort);
  let watchdog = setTimeout(abort, SILENT_MS);
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(abort, SILENT_MS);
    state.heardAt = Date.now();
    reader.heard();
  };
  try {
    const isResumed = state.position !== undefined;
    const headers = isResumed ? { "Last-Event-ID": String(state.position) } : {};
    const answer = await fetch(address, { headers, cache: "no-store", signal: attempt.signal });
    if (answer.status === 204) return { result: "ended" };
    if (answer.status === 401) return { result: "signed out" };
    const kind = answer.headers.get("Content-Type") ?? "";
    const isRefused = answer.status === 403 || answer.status === 404;
    if (isRefused && kind.startsWith("application/problem+json")) return { result: "gone" };
    // Something else may answer for a server that is away: an ingress says 404, the gate of a hotel shows a page.
    if (!kind.startsWith("text/event-stream")) {
      return { wait: 1_000 * Number(answer.headers.get("Retry-After")) || undefined };
    }
    state.failures = 0;
    alive();
    reader.began(isResumed);
    return { result: await read(answer.body, state, alive, reader) };
  } catch (error) {
    if (error instanceof TypeError || error.name === "AbortError") return {}; // the network, or the watchdog
    throw error;
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", abort);
    attempt.abort();
  }
}

async function read(body, state, alive, reader) {
  const pieces = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await pieces.read();
    if (done) return undefined;
    alive();
    const blocks = (text + value).split("\n\n");
    text = blocks.pop(); // not whole yet
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
      if (fields.retry) state.wait = Number(fields.retry);
      if (fields.event === "end") return "ended";
      if (fields.id) {
        state.position = Number(fields.id);
        reader.block(state.position, fields.data ? JSON.parse(fields.data) : null);
      }
    }
  }
}

// Wait; less if somebody looks at the page again, or the network is back.
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    const options = { signal: over.signal };
    signal.addEventListener("abort", done, options);
    addEventListener("online", done, options);
    document.addEventListener("visibilitychange", () => document.hidden || done(), options);
    if (signal.aborted) done();
  });
}
