// Says in words how the live updates are. The seconds are outside of the live region: a screen reader hears the
// beginning and the end of an interruption.

import { span } from "./clock.js";

const QUIET_MS = 1_000; // A server that is restarted takes about a second.

export class Connection {
  #line = document.getElementById("connection");
  #announcer = document.getElementById("announcer");
  #lostAt = 0;
  #isSaid = false;
  #isOver = false;

  constructor() {
    setInterval(() => this.#show(), 1_000);
  }

  // There are no live updates since a time, in milliseconds; 0: there are.
  state(lostAt) {
    this.#lostAt = lostAt;
    this.#isOver = false;
    this.#show();
  }

  // Say a sentence to a screen reader.
  announce(sentence) {
    if (this.#announcer) this.#announcer.textContent = sentence;
  }

  // Say that there will be no more updates, with a link to what helps.
  over(sentence, link) {
    this.#isOver = true;
    document.body.toggleAttribute("data-lost", true);
    this.#write(sentence, link);
    this.announce(sentence);
  }

  #show() {
    if (this.#isOver) return;
    const since = this.#lostAt && Date.now() - this.#lostAt;
    const isLost = since > QUIET_MS;
    document.body.toggleAttribute("data-lost", isLost); // Nothing looks alive of which nothing is heard.
    if (isLost) this.#write(`Live updates stopped ${span(since / 1_000)} ago; trying again`);
    else this.#write("");
    if (isLost !== this.#isSaid) {
      this.#isSaid = isLost;
      this.announce(isLost ? "Live updates stopped; trying again" : "Live updates are back");
    }
  }

  #write(text, link) {
    if (!this.#line) return;
    this.#line.hidden = !text;
    if (this.#line.textContent === `${text}${link ? ` ${link.textContent}` : ""}`) return;
    this.#line.replaceChildren(text, ...(link ? [" ", link] : []));
  }
}
