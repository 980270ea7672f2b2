// "Tell me when it ends": a notification of the browser, which is asked for its permission by this click only.
// In the page: <button type="button" data-script="notify" hidden>, and data-ended on <main> once the job has ended.

const BUTTON = "button[data-script=notify]";
const WORDS = { off: "Tell me when it ends", on: "You will be told when it ends" };

export class Notify {
  #isPossible = "Notification" in window && window.isSecureContext;

  // Whether somebody waits for the end.
  isArmed = false;

  constructor() {
    document.addEventListener("click", ({ target }) => target.closest(BUTTON) && this.#toggle());
    this.offer();
  }

  // Show the button, if the page has one.
  offer() {
    const button = document.querySelector(BUTTON);
    if (button) button.hidden = !this.#isPossible;
  }

  // Tell of the end, if the page that has just come shows it.
  changed(fresh) {
    if (!this.isArmed || !("ended" in fresh.querySelector("main").dataset)) return;
    this.isArmed = false;
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
    const isAllowed = this.isArmed || (await Notification.requestPermission()) === "granted";
    const button = document.querySelector(BUTTON);
    if (!button) return; // The job has ended meanwhile.
    if (!isAllowed) {
      button.textContent = "This browser does not allow notifications here";
      button.disabled = true;
      return;
    }
    this.isArmed = !this.isArmed;
    button.textContent = this.isArmed ? WORDS.on : WORDS.off;
    button.setAttribute("aria-pressed", String(this.isArmed));
  }
}
