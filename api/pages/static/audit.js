// The audit page reads a job's history from the API and shows the job at any of its versions.
// It shows values from the API as text only, never as markup.

const PAGE = 500;
const NEWEST_ROWS = 5000; // A larger table is slow in a browser; the terminal and the API have no such limit.
const TICK = 700;
const COLOURED = new Set(["running", "completed", "failed", "cancelled", "error", "provisioning", "active"]);
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu; // Controls, reordering, no width: a job's id could look like another's.

const $ = (id) => document.getElementById(id);
const state = { job: "", token: "", events: [], after: 0, more: false, shown: 0, timer: 0, opened: 0 };

function visible(text) {
  return String(text).replace(UNSEEN, (found) =>
    "\n\t".includes(found) ? found : `\\u{${found.codePointAt(0).toString(16)}}`);
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = visible(text);
  if (className) made.className = className;
  return made;
}

function say(text, isWrong = false) {
  $("message").textContent = visible(text);
  $("message").className = isWrong ? "wrong" : "";
  $("message").hidden = !text;
}

function clock(text) {
  if (!text) return "";
  const time = new Date(text);
  const date = time.toLocaleDateString("sv-SE");
  return `${date} ${time.toLocaleTimeString("sv-SE")}`;
}

function worded(value, day) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string" && TIME.test(value)) {
    const [date, time] = clock(value).split(" ");
    return date === day ? time : `${date} ${time}`;
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

// --- asking the API -----------------------------------------------------------------------------

class Refused extends Error {}
class Superseded extends Error {} // Meanwhile, the reader asked for another job.

function sayWhy(error) {
  if (error instanceof Superseded) return;
  if (!(error instanceof Refused)) throw error;
  say(error.message, true);
}

async function ask(path) {
  let answer;
  try {
    answer = await fetch(path, {
      headers: { Authorization: `Bearer ${state.token}`, Accept: "application/json" },
    });
  } catch {
    throw new Refused("The server cannot be reached.");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) throw new Refused("The server does not know this token.");
  if (answer.status === 404) throw new Refused("This job does not exist, or this token may not see it.");
  throw new Refused(problem.detail || problem.title || `The server answered ${answer.status}.`);
}

// A browser takes "." and ".." out of a path, and what is left may name another job. So an id with
// such a part stays one part of the path, and an id that is only that cannot be asked for.
function inPath(job) {
  const parts = job.split("/");
  const isPlain = parts.every((part) => part !== "." && part !== "..");
  if (!isPlain && parts.length === 1) throw new Refused("A browser cannot ask for this id; milepost audit can.");
  try {
    return isPlain ? parts.map(encodeURIComponent).join("/") : encodeURIComponent(job);
  } catch {
    throw new Refused("No job has this id: it is not text.");
  }
}

async function nextPage() {
  const { job, opened } = state;
  const answer = await ask(`/api/jobs/${inPath(job)}/events?after=${state.after}&limit=${PAGE}`);
  const page = await answer.json();
  if (state.opened !== opened) throw new Superseded();
  // A job may be called like this path of another one, and a proxy may have rewritten it.
  if (!page.events?.every((event) => event.job_id === job)) throw new Refused("The answer is about another job.");
  state.events.push(...page.events);
  state.more = answer.headers.has("Link"); // A page of large events ends before its limit.
  state.after = page.next_after;
  return page.events;
}

// --- the table ----------------------------------------------------------------------------------

function pairs(entries) {
  return entries.map(([name, ...parts]) => {
    const line = element("div");
    line.append(element("b", name), ...parts);
    return line;
  });
}

function said(event) {
  if (event.error) return [element("span", event.error, "failed")];
  return pairs(Object.entries(event.payload).map(([name, value]) => [name, element("span", worded(value))]));
}

function changed(event) {
  const [day] = clock(event.recorded_at).split(" ");
  // The first event changes every field of a job, and its payload is under "Said" already.
  const shown = event.version === 1 ? event.changed.filter(({ field }) => field === "status") : event.changed;
  return pairs(
    shown.map(({ field, before, after }) => [
      field,
      element("span", worded(before, day), "quiet"),
      element("span", "→"),
      element("span", worded(after, day), COLOURED.has(after) ? after : ""),
    ]),
  );
}

// A name is any text that somebody chose, so it is in quotation marks: only the rest was proven.
function by(event) {
  const { kind, id, name } = event.actor || {};
  switch (kind) {
    case "signature": return `${event.signed_by.scheme} ${event.signed_by.key_id || ""}`;
    case "token": return `token ${id} ${JSON.stringify(name)}`;
    case "name": return JSON.stringify(name);
    case "milepost": return "Milepost";
    default: return "";
  }
}

function row(event, number) {
  const line = element("tr");
  line.dataset.number = number;
  line.tabIndex = 0;
  const time = element("td", clock(event.recorded_at), "time");
  time.title = `${event.recorded_at || ""}${event.occurred_at ? ` · the sender says ${event.occurred_at}` : ""}`;
  const cells = [element("td"), element("td", undefined, "said"), element("td", undefined, "changed")];
  cells[0].append(element("code", event.kind));
  cells[1].append(...said(event));
  cells[2].append(...changed(event));
  const signer = by(event);
  line.append(
    element("td", event.version, "number"), time, ...cells, element("td", signer, "quiet"),
  );
  line.title = `position ${event.position}`;
  return line;
}

function addRows(events) {
  const before = state.events.length - events.length;
  $("events").append(...events.map((event, index) => row(event, before + index + 1)));
  $("version").max = state.events.length || 1;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const more = state.more ? " and more" : "";
  const counted = `${state.events.length} event${state.events.length === 1 ? "" : "s"}`;
  $("count").textContent = `${counted}${more}; times are ${zone}.`;
  $("more").hidden = !state.more || state.events.length >= NEWEST_ROWS;
}

// --- one version --------------------------------------------------------------------------------

function show(number, isScrolled = false) {
  const event = state.events[number - 1];
  if (!event) return;
  state.shown = number;
  $("version").value = number;
  const status = event.state.outcome === "cancelled" ? "cancelled" : event.state.status;
  $("status").textContent = status;
  $("status").className = `status ${status}`;
  const step = event.state.current_step || event.state.failed_at_step;
  $("where").textContent = [
    event.state.attempt > 1 ? `attempt ${event.state.attempt}` : "",
    step ? `at ${visible(step)}` : "",
  ].filter(Boolean).join(" · ");
  $("steps").replaceChildren(
    ...event.state.steps.map(({ label, status }) => {
      const item = element("li", label, status);
      item.title = status;
      return item;
    }),
  );
  $("at").textContent = `version ${event.version} · ${clock(event.recorded_at)}`;
  for (const line of $("events").children) {
    const its = Number(line.dataset.number);
    line.classList.toggle("later", its > number);
    line.setAttribute("aria-current", its === number);
    if (its === number && isScrolled) line.scrollIntoView({ block: "nearest" });
  }
  history.replaceState(null, "", `#${event.version}`);
}

function stop() {
  clearInterval(state.timer);
  state.timer = 0;
  $("play").textContent = "▶ Replay";
}

function play() {
  if (state.timer) return stop();
  const last = state.events.length;
  let at = state.shown >= last ? 0 : state.shown;
  $("play").textContent = "❚❚ Pause";
  const seen = (event) => JSON.stringify(event.state);
  const tick = () => {
    // Skip events that change nothing for the user, such as heartbeats.
    do at += 1; while (at < last && at > 1 && seen(state.events[at - 1]) === seen(state.events[at - 2]));
    show(at, true);
    if (at >= last) stop();
  };
  state.timer = setInterval(tick, TICK);
  return tick();
}

// --- events of the page -------------------------------------------------------------------------

async function open() {
  stop();
  Object.assign(state, { events: [], after: 0, more: false, shown: 0, opened: state.opened + 1 });
  $("events").replaceChildren();
  $("moment").hidden = $("history").hidden = true;
  say("Reading …");
  const wanted = Number(location.hash.slice(1)) || 0;
  try {
    addRows(await nextPage());
    while (state.more && state.events.length < Math.min(wanted, NEWEST_ROWS)) addRows(await nextPage());
  } catch (error) {
    return sayWhy(error);
  }
  say("");
  document.title = visible(`${state.job} · audit · Milepost`);
  $("title").textContent = visible(state.job);
  $("moment").hidden = $("history").hidden = false;
  const number = state.events.findIndex((event) => event.version === wanted) + 1;
  return show(number || state.events.length, number > 0);
}

$("ask").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  state.job = $("job").value.trim();
  state.token = $("token").value.trim();
  sessionStorage.setItem("milepost-token", state.token);
  try {
    const path = `/audit/${inPath(state.job)}`;
    if (location.pathname !== path) history.pushState(null, "", path);
  } catch (error) {
    return sayWhy(error);
  }
  return open();
});
$("version").addEventListener("input", (moved) => { stop(); show(Number(moved.target.value), true); });
$("play").addEventListener("click", play);
$("more").addEventListener("click", async () => {
  try {
    addRows(await nextPage());
    show(state.shown);
  } catch (error) {
    sayWhy(error);
  }
});
for (const kind of ["click", "keydown"]) {
  $("events").addEventListener(kind, (happened) => {
    if (kind === "keydown" && happened.key !== "Enter") return;
    const line = happened.target.closest("tr");
    if (line) { stop(); show(Number(line.dataset.number)); }
  });
}

function start() {
  try {
    state.job = decodeURIComponent(location.pathname.replace(/^\/audit\/?/, ""));
  } catch {
    return say("No job has this id: it is not text.", true);
  }
  state.token = sessionStorage.getItem("milepost-token") || "";
  $("job").value = state.job;
  $("token").value = state.token;
  if (state.job && state.token) return open();
  return $(state.job ? "token" : "job").focus();
}

addEventListener("popstate", start);
start();
