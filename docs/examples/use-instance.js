import { useEffect, useState } from "react";

const NOTHING = { instance: null, steps: [], uptime: null, error: null };
const SILENT_MS = 15_000; // a stream is silent for 5 s at most, so by then the connection is dead

/**
 * Return the instance of an agent's newest job, with its UI steps, as they are now; render again when they change.
 * `error` is null, or says what is amiss; `steps` stay as they were last.
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
  for (let lastId = "", wait = 2_000; !unmounted.aborted; ) {
    const silent = new AbortController();
    let alarm = setTimeout(() => silent.abort(), SILENT_MS);
    try {
      const headers = { Authorization: `Bearer ${token}`, ...(lastId && { "Last-Event-ID": lastId }) };
      const signal = AbortSignal.any([unmounted, silent.signal]);
      const answer = await fetch(url, { headers, signal });
      change({ error: answer.ok ? null : `Milepost answers ${answer.status}` });
      if (answer.status >= 400 && answer.status < 500) return; // it would say the same again
      wait = 1_000 * Number(answer.headers.get("Retry-After") ?? 2);
      const pieces = answer.ok && answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = "", piece; pieces && !(piece = await pieces.read()).done; ) {
        clearTimeout(alarm);
        alarm = setTimeout(() => silent.abort(), SILENT_MS);
        const blocks = (text + piece.value).split("\n\n");
        text = blocks.pop(); // a block that is not whole yet
        for (const block of blocks) {
          const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
          lastId = fields.id ?? lastId;
          wait = Number(fields.retry ?? wait);
          if (fields.data) change(JSON.parse(fields.data));
        }
      }
    } catch {
      change({ error: "Milepost cannot be reached; trying again" }); // or the stream broke off
    } finally {
      clearTimeout(alarm);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
