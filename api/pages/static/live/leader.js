// Reads the one stream of a browser, for all of its tabs: of all jobs and agents that any of them watches.

import { follow } from "./stream.js";

const GATHER_MS = 100; // Tabs that come at the same moment are one change of the stream.
const MOST_NAMED = 100; // The server's bound. Beyond it, the stream has all jobs.
const ALL = "jobs";

export class Leader {
  #address;
  #tell;
  #tabs = new Map();
  #covers = [];
  #stop = null;
  #timer = 0;
  #lostAt = 0;
  #position;

  // `address` is that of /api/stream. `tell(message)` reaches every tab, this one, too.
  constructor(address, tell) {
    this.#address = address;
    this.#tell = tell;
  }

  // A tab watches something, and has seen it up to a position (undefined: it does not know).
  add(tab, watched, position) {
    this.#tabs.set(tab, { watched, position });
    if (this.#stop && !this.#timer && covers(this.#covers, watched)) {
      if (!(position >= this.#position)) this.#tell({ kind: "look", tabs: [tab] });
      return;
    }
    this.#timer ||= setTimeout(() => this.#connect(), GATHER_MS);
  }

  // A tab is closed. The stream goes on as it is until it has to change anyway.
  remove(tab) {
    this.#tabs.delete(tab);
  }

  // Say how the stream is.
  report() {
    this.#tell({ kind: "state", lostAt: this.#lostAt, covers: this.#covers });
  }

  close() {
    clearTimeout(this.#timer);
    this.#stop?.abort();
  }

  async #connect() {
    this.#timer = 0;
    this.#stop?.abort();
    const stop = (this.#stop = new AbortController());
    const { named, position, behind } = plan(this.#tabs);
    this.#covers = named;
    this.#position = position;
    const tell = (message) => stop.signal.aborted || this.#tell(message);
    const result = await follow(this.#query(named), position, stop.signal, {
      began: (isResumed) => {
        this.#lostAt = 0;
        if (!isResumed) tell({ kind: "look", tabs: [...this.#tabs.keys()] });
        else if (behind.length) tell({ kind: "look", tabs: behind });
      },
      heard: () => tell({ kind: "state", lostAt: 0, covers: named }),
      block: (at, job) => {
        this.#position = at;
        for (const [tab, { watched, position: seen }] of this.#tabs) {
          if (covers(named, watched) && !(seen >= at)) this.#tabs.set(tab, { watched, position: at });
        }
        tell({ kind: "news", position: at, covers: named, job: job?.id, agent: job?.agent_id });
      },
      lost: () => {
        this.#lostAt ||= Date.now();
        tell({ kind: "state", lostAt: this.#lostAt, covers: named });
      },
    });
    if (result !== "aborted") tell({ kind: "over", result });
  }

  #query(named) {
    if (named.includes(ALL)) return this.#address;
    const query = new URLSearchParams(named.map((each) => {
      const [, kind, id] = each.match(/^(job|agent):(.*)$/s);
      return [`${kind}_id`, id];
    }));
    return `${this.#address}?${query}`;
  }
}

// Tell whether a stream of these has what somebody watches.
export function covers(named, watched) {
  return named.includes(ALL) || named.includes(watched);
}

// Return what the stream names, the position that it goes on after, and the tabs that must look for themselves.
//
// A stream of named jobs may begin far back: the server reads only their histories. A stream of all jobs begins where a
// tab that watches all jobs is, which is not far back: a tab of one job may have seen nothing for a million events.
function plan(tabs) {
  const watched = new Set([...tabs.values()].map((tab) => tab.watched));
  const isOfAll = watched.has(ALL) || watched.size > MOST_NAMED;
  const anchors = [...tabs.values()].filter((tab) => !isOfAll || tab.watched === ALL).map((tab) => tab.position);
  const position = anchors.length && anchors.every((each) => each >= 0) ? Math.min(...anchors) : undefined;
  const behind = [...tabs].filter(([, tab]) => !(tab.position >= position)).map(([id]) => id);
  return { named: isOfAll ? [ALL] : [...watched], position, behind };
}
