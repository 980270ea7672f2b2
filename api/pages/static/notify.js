// "Tell me when it ends": a notification of the browser, which is asked for its permission by this click only.
// In the page: <button type="button" data-script="notify" hidden>, and data-ended on <main> once the job has ended.

export class Notify {
  #button = document.querySelector("button[data-script=notify]");
  #isArmed = false;

  constructor() {
    if (!this.#button || !("Notification" in window) || !window.isSecureContext || hasEnded(document)) return;
    this.#button.hidden = false;
    this.#button.addEventListener("click", () => this.#toggle());
  }

  // Whether somebody waits for the end.
  get isArmed() {
    return this.#isArmed;
  }

  // Tell of the end, if the page that has just come shows it.
  changed(fresh) {
    if (!this.#button || !hasEnded(fresh)) return;
    this.#button.hidden = true;
    if (!this.#isArmed) return;
    this.#isArmed = false;
    try {
      const made = new Notification(fresh.title, {
        body: fresh.querySelector("[data-announce]")?.dataset.announce ?? "",
        tag: document.body.dataset.watch, // Two tabs of one job tell once.
      });
      made.addEventListener("click", () => {
        window.focus();
        made.close();
      });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // Android shows those of service workers only.
    }
  }

  async #toggle() {
    if (!this.#isArmed && (await Notification.requestPermission()) !== "granted") {
      this.#button.textContent = "This browser does not allow notifications here";
      this.#button.disabled = true;
      return;
    }
    this.#isArmed = !this.#isArmed;
    this.#button.textContent = this.#isArmed ? "You will be told when it ends" : "Tell me when it ends";
    this.#button.setAttribute("aria-pressed", String(this.#isArmed));
  }
}

function hasEnded(shown) {
  return "ended" in (shown.querySelector("main")?.dataset ?? {});
}
