// Keeps a page as the server shows it: fetches its own address again, and changes what differs. The server renders
// everything, so there is no second template here.

import { morph, morphChildren } from "./morph.js";

const PAUSE_MS = 150; // Many changes at once are one fetch.
const LONGEST_PAUSE_MS = 5_000;
const AWAY_MS = 1_000; // The server does not answer.
const MOST_AGAIN = 5;

export class Page {
  #wanted = null;
  #isBusy = false;
  #again = 0;
  #listener;
  #rest;

  // `listener.changed(fresh)` is called with each new document, before the page changes, and `listener.shown()` after
  // that; `listener.refused(status)` if the server shows the page no more, 401 if one has to sign in.
  //
  // After a fetch of t ms, it rests for `rest` times t: a server that is busy is asked less often.
  constructor(listener, rest) {
    this.#listener = listener;
    this.#rest = rest;
  }

  // The position of the log that the page shows; undefined if it does not say.
  static position(shown = document) {
    const said = shown.querySelector("main")?.dataset.position;
    return said ? Number(said) : undefined;
  }

  // Fetch the page; again, if it does not show this position yet.
  look(position = 0) {
    this.#wanted = Math.max(this.#wanted ?? 0, position);
    this.#again = 0;
    if (!this.#isBusy) this.#run();
  }

  async #run() {
    this.#isBusy = true;
    try {
      while (this.#wanted !== null) {
        const wanted = this.#wanted;
        this.#wanted = null;
        const began = performance.now();
        const shown = await this.#fetched();
        const isLate = shown < wanted && this.#again++ < MOST_AGAIN; // A list of jobs may lag behind the log.
        if (shown === null || isLate) this.#wanted = Math.max(this.#wanted ?? 0, wanted);
        const rest = shown === null ? AWAY_MS : Math.max(PAUSE_MS, this.#rest * (performance.now() - began));
        await new Promise((resolve) => setTimeout(resolve, Math.min(rest, LONGEST_PAUSE_MS)));
      }
    } finally {
      this.#isBusy = false;
    }
  }

  // Return the position that is shown now; null if the server did not answer. What stands before a server may answer
  // in its place while it is away: an ingress says 404, the gate of a hotel shows its own page.
  async #fetched() {
    const address = new URL(location.href);
    address.hash = "";
    let answer;
    let html;
    try {
      answer = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
      html = await answer.text();
    } catch (error) {
      if (error instanceof TypeError) return null;
      throw error;
    }
    if (answer.status >= 500 || answer.status === 429) return null;
    const isElsewhere = new URL(answer.url).pathname !== address.pathname; // It redirects to the sign-in.
    const needsSignIn = isElsewhere || answer.status === 401;
    const fresh = new DOMParser().parseFromString(html, "text/html");
    if (!needsSignIn && !fresh.getElementById("announcer")) return null; // It is no page of Milepost.
    if (needsSignIn || !answer.ok) {
      this.#listener.refused(needsSignIn ? 401 : answer.status);
      return Infinity;
    }
    // Meanwhile, the slider may have been moved on.
    if (location.search !== address.search) return -1;
    this.#listener.changed(fresh);
    show(fresh);
    this.#listener.shown();
    return Page.position() ?? Infinity;
  }
}

function show(fresh) {
  const focused = document.activeElement;
  document.title = fresh.title;
  const [icon, freshIcon] = [document, fresh].map((each) => each.querySelector("link[data-live-icon]"));
  if (icon && freshIcon && icon.getAttribute("href") !== freshIcon.getAttribute("href")) {
    icon.setAttribute("href", freshIcon.getAttribute("href"));
  }
  const [main, freshMain] = [document, fresh].map((each) => each.querySelector("main"));
  for (const name of ["position", "now", "turns"]) {
    if (freshMain.dataset[name] !== undefined) main.dataset[name] = freshMain.dataset[name];
    else delete main.dataset[name];
  }
  const [old, wanted] = [document, fresh].map(regions);
  if ([...wanted.keys()].join() === [...old.keys()].join()) {
    for (const [name, region] of old) morph(region, wanted.get(name));
  } else {
    morphChildren(main, freshMain); // A region came or went.
  }
  if (focused !== document.activeElement) (focused.isConnected ? focused : main).focus({ preventScroll: true });
}

function regions(shown) {
  return new Map([...shown.querySelectorAll("[data-live]")].map((region) => [region.dataset.live, region]));
}
