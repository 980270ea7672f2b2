import { useEffect, useState } from "react";

const NOTHING = { instance: null, steps: [], uptime: null, health: null, error: null };
const SILENT_MS = 15_000; // a stream is silent for 5 s at most, so by then the connection is dead
const TURN_MS = 30_000; // the browser's clock may be ahead of the server's: then look no more often than that
const FOR_GOOD = [400, 401, 403]; // Milepost would say the same again

/**
 * Return the instance of an agent's newest job, with its UI steps and its health, as they are now; render again when
 * they change. `error` is null, or says what is amiss; `steps` stay as they were last.
 */
export function useInstance(server, agentId, token) {
  const [shown, setShown] = useState(NOTHING);
  useEffect(() => {
    const unmounted = new AbortController();
    const url = `${server}/api/agents/${encodeURIComponent(agentId)}/stream`;
    const change = (news) => unmounted.signal.aborted || setShown((last) => ({ ...last, ...news }));
    setShown(NOTHING);
    follow(url, token, unmounted.signal, change);
    return () => unmounted.abort();
  }, [server, agentId, token]);
  return shown;
}

async function follow(url, token, unmounted, change) {
  for (let lastId = "", wait = 2_000, turns = NaN; !unmounted.aborted; ) {
    const stop = new AbortController();
    let heardAt = Date.now();
    const check = setInterval(() => {
      // Time alone changes a health, and no event tells of that. Without an id, a stream begins with the state of now.
      if (Date.now() > turns) stop.abort((turns = NaN, lastId = ""));
      else if (Date.now() > heardAt + SILENT_MS) stop.abort(new Error("nothing comes"));
    }, 1_000);
    try {
      const headers = { Authorization: `Bearer ${token}`, ...(lastId && { "Last-Event-ID": lastId }) };
      const answer = await fetch(url, { headers, signal: AbortSignal.any([unmounted, stop.signal]) });
      const isMissing = answer.status === 404; // asked for less and less often, for there may never be a job
      const words = isMissing ? "There is no job yet" : `Milepost answers ${answer.status}`;
      change({ error: answer.ok ? null : words });
      if (FOR_GOOD.includes(answer.status)) return;
      wait = isMissing ? Math.min(1.5 * wait, 30_000) : 1_000 * (Number(answer.headers.get("Retry-After")) || 2);
      const pieces = answer.ok && answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = "", piece; pieces && !(piece = await pieces.read()).done; ) {
        heardAt = Date.now();
        const blocks = (text + piece.value).split("\n\n");
        text = blocks.pop(); // a block that is not whole yet
        for (const block of blocks) {
          const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
          lastId = fields.id ?? lastId;
          wait = Number(fields.retry ?? wait);
          if (!fields.data) continue;
          const document = JSON.parse(fields.data);
          turns = Date.parse(document.health.changesAt) + 1_000;
          if (turns < Date.now()) turns = Date.now() + TURN_MS;
          change(document);
        }
      }
    } catch (error) {
      if (error) change({ error: "Milepost cannot be reached; trying again" }); // or the stream broke off
    } finally {
      clearInterval(check);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
