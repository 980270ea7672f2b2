// A stream of one tab alone: of a page that was opened by a link, or where tabs cannot share one (Web Locks need a
// secure address). A hidden tab gives it up, because over HTTP/1.1 a browser opens six connections to a host.

import { follow } from "./stream.js";

const AGAIN_MS = 60_000; // A job that has ended may go on: an operator tries it again, or a callback was late.

export class OwnStream {
  #address;
  #listener;
  #staysWhenHidden;
  #stop = null;
  #position;
  #lostAt = 0;

  // The listener is that of `SharedStream`. `staysWhenHidden()` tells whether somebody waits for news of a hidden tab.
  constructor(address, listener, staysWhenHidden) {
    this.#address = address;
    this.#listener = listener;
    this.#staysWhenHidden = staysWhenHidden;
    document.addEventListener("visibilitychange", () => {
      if (!this.#stop) return;
      if (!document.hidden) this.#run();
      else if (!this.#staysWhenHidden()) this.#stop.abort();
    });
  }

  start(position) {
    this.#position = position;
    this.#run();
  }

  stop() {
    this.#stop?.abort();
    this.#stop = null;
  }

  async #run() {
    this.#stop?.abort();
    const { signal } = (this.#stop = new AbortController());
    for (;;) {
      const result = await follow(this.#address, this.#position, signal, {
        began: (isResumed) => isResumed || this.#listener.look(),
        heard: () => this.#listener.state((this.#lostAt = 0)),
        block: (position, job) => {
          this.#position = position;
          if (job) this.#listener.news(position);
        },
        lost: () => this.#listener.state((this.#lostAt ||= Date.now())),
      });
      if (result === "aborted") return;
      if (result !== "ended") {
        this.#stop = null;
        this.#listener.over();
        return;
      }
      this.#listener.state(0);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}
