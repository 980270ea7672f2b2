// One stream for all tabs of a browser: it opens six connections to a host over HTTP/1.1, and the seventh tab would hang.
//
// The tabs elect a leader, which reads the stream of all that they watch and tells the others through a
// BroadcastChannel. A tab that comes says what it watches, and which position its page shows.

import { Election } from "./election.js";
import { Leader, covers } from "./leader.js";

const TICK_MS = 5_000;
const SILENT_MS = 10_000; // A leader says something every 5 s.
const STEAL_AGAIN_MS = 60_000;

export class SharedStream {
  #address;
  #watched;
  #listener;
  #id = crypto.randomUUID();
  #election;
  #channel = null;
  #leader = null;
  #ticking = 0;
  #position;
  #heardAt = 0;
  #tickedAt = 0;
  #hasAsked = false;
  #isCovered = false;
  #stealAfter = 0;

  static isPossible() {
    return Boolean(navigator.locks) && "BroadcastChannel" in window;
  }

  // `address` is that of /api/stream; `watched` is "jobs", "job:<id>" or "agent:<id>".
  // `listener.news(position)`: something is new. `listener.look()`: something may be new.
  // `listener.state(lostAt)`: since when there are no live updates; 0 if there are. `listener.over()`: the server gives no stream.
  constructor(address, watched, listener) {
    this.#address = address;
    this.#watched = watched;
    this.#listener = listener;
    this.#election = new Election(`milepost-stream ${address}`, () => this.#lead(), () => this.#follow());
  }

  // Take part, with a page that shows everything up to a position.
  start(position) {
    if (this.#channel) return;
    this.#position = position;
    this.#channel = new BroadcastChannel(`milepost-stream ${this.#address}`);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#heardAt = this.#tickedAt = Date.now();
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    this.#election.join();
    this.#say();
  }

  // Take part no more: the page goes away, or will be frozen.
  stop() {
    if (!this.#channel) return;
    clearInterval(this.#ticking);
    this.#channel.postMessage({ kind: "leave", tab: this.#id });
    this.#leader?.close();
    this.#leader = null;
    this.#election.leave();
    this.#channel.close();
    this.#channel = null;
  }

  #lead() {
    this.#leader = new Leader(this.#address, (message) => {
      this.#channel.postMessage(message);
      this.#take(message);
    });
    this.#leader.add(this.#id, this.#watched, this.#position);
    this.#channel.postMessage({ kind: "who" });
  }

  #follow() {
    this.#leader.close();
    this.#leader = null;
    this.#heardAt = Date.now();
    this.#say();
  }

  #say() {
    this.#channel.postMessage({ kind: "watch", tab: this.#id, watched: this.#watched, position: this.#position });
  }

  #hear(message) {
    if (message.kind === "watch") this.#leader?.add(message.tab, message.watched, message.position);
    else if (message.kind === "leave") this.#leader?.remove(message.tab);
    else if (message.kind === "ask") this.#leader?.report();
    else {
      this.#heardAt = Date.now();
      this.#hasAsked = false;
      if (message.kind === "who") this.#say();
      else if (!this.#leader) this.#take(message);
    }
  }

  #take(message) {
    switch (message.kind) {
      case "news":
        this.#learn(message);
        break;
      case "look":
        if (message.tabs.includes(this.#id)) this.#listener.look();
        break;
      case "state":
        this.#isCovered = covers(message.covers, this.#watched);
        this.#listener.state(message.lostAt);
        break;
      case "over":
        this.stop();
        this.#listener.over();
        break;
      default: // of a tab with a newer script
    }
  }

  #learn({ position, covers: named, job, agent }) {
    if (!covers(named, this.#watched) || position <= this.#position) return;
    this.#position = position;
    const isMine = this.#watched === "jobs" ? job !== undefined
      : this.#watched === `job:${job}` || this.#watched === `agent:${agent}`;
    if (isMine) this.#listener.news(position);
  }

  // Ask a silent leader, and then do without it. A hidden tab, whose own timer is slow, leaves that to others.
  #tick() {
    const now = Date.now();
    const wasAsleep = now - this.#tickedAt > 2 * TICK_MS;
    this.#tickedAt = now;
    if (this.#leader) {
      this.#leader.report();
    } else if (wasAsleep) {
      this.#heardAt = now;
    } else if (now - this.#heardAt > SILENT_MS) {
      if (!this.#hasAsked) {
        this.#hasAsked = true;
        this.#channel.postMessage({ kind: "ask" });
      } else if (now > this.#stealAfter) {
        // A tab that is deaf itself must not rob the others again and again.
        this.#stealAfter = now + STEAL_AGAIN_MS;
        this.#election.steal();
      }
      this.#listener.state(this.#heardAt);
    } else if (!this.#isCovered) {
      this.#say(); // The leader has not heard it.
    }
  }
}
