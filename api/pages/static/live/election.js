// Elects one tab of a browser by a Web Lock. The browser hands the lock on when its tab is closed or crashes.
//
// A tab that is frozen keeps its lock. So a tab gives it up before it is frozen, if it is asked, and another tab may
// steal it. A tab that was robbed waits in line again, and never steals back: two tabs would do that for ever.

export class Election {
  #name;
  #leads;
  #robbed;
  #request = null;

  // `leads()` is called when this tab is elected, `robbed()` when another tab has stolen the lock.
  constructor(name, leads, robbed) {
    this.#name = name;
    this.#leads = leads;
    this.#robbed = robbed;
  }

  // Wait in line.
  join() {
    this.leave();
    const waiting = new AbortController();
    this.#ask({ signal: waiting.signal }, waiting);
  }

  // Take the lock from a tab that does not answer.
  steal() {
    this.leave();
    this.#ask({ steal: true });
  }

  // Give up the lock, or the place in line. A page that has either is not kept for the back button.
  leave() {
    const request = this.#request;
    this.#request = null;
    request?.waiting?.abort();
    request?.release?.();
  }

  async #ask(options, waiting) {
    const request = { waiting, release: null };
    this.#request = request;
    try {
      await navigator.locks.request(this.#name, options, () => {
        if (this.#request !== request) return undefined; // left meanwhile
        return new Promise((release) => {
          request.release = release;
          this.#leads();
        });
      });
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      if (this.#request !== request) return; // it left the line
      this.join();
      this.#robbed();
    }
  }
}
