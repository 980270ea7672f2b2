// Keeps a page live. It works without this script, too: by reloading.
//
// <body data-watch> says what the page is about: "jobs", "job:<id>" or "agent:<id>". A page that was opened by a link
// has data-stream, the address of the stream that its link opens.

import { setClock, startClock, tick } from "./clock.js";
import { Connection } from "./connection.js";
import { Notify } from "./notify.js";
import { OwnStream } from "./own.js";
import { Page } from "./page.js";
import { SharedStream } from "./shared.js";
import { startSlider } from "./slider.js";
import { startTurning } from "./turning.js";

const root = new URL("../..", import.meta.url); // The server may be behind a path prefix.
const AGAIN_MS = 5_000;
const REST = 1;
const REST_OF_A_LIST = 4; // It hears of every job, and costs the server more.
const { watch, stream: streamAddress } = document.body.dataset;

function announced(shown) {
  return shown.querySelector("[data-announce]")?.dataset.announce ?? "";
}

function start() {
  const { address } = document.querySelector("main").dataset;
  if (address) history.replaceState(null, "", address); // The page is the answer to a form.
  const connection = new Connection();
  const notify = new Notify();
  const page = new Page({
    changed(fresh) {
      setClock(fresh);
      if (isRefused) comeBack();
      const sentence = announced(fresh);
      if (sentence !== announced(document)) connection.announce(sentence);
      notify.changed(fresh);
    },
    shown() {
      tick();
      notify.offer();
    },
    refused(status) {
      isRefused = true;
      stream.stop();
      clearTimeout(again);
      if (status !== 401) connection.over("This page is no longer there.");
      else if (streamAddress) connection.over("This link has ended.");
      else connection.over("Your sign-in has ended.", signInLink());
    },
  }, watch === "jobs" ? REST_OF_A_LIST : REST);
  let isRefused = false;
  let again = 0;
  const listener = {
    news(position) {
      if (!document.hidden || watch !== "jobs") page.look(isOfThePast() ? 0 : position);
    },
    look: () => page.look(),
    state: (lostAt) => connection.state(lostAt),
    over() {
      // The page knows why: it is refused as well, unless somebody has signed in again.
      again = setTimeout(comeBack, AGAIN_MS);
      page.look();
    },
  };
  const stream = !streamAddress && SharedStream.isPossible()
    ? new SharedStream(new URL("api/stream", root).href, watch, listener)
    : new OwnStream(streamAddress ?? ownAddress(), listener, () => notify.isArmed);

  startClock();
  startSlider(page);
  startTurning(() => {
    if (!isRefused && (!document.hidden || watch !== "jobs")) page.look();
  });
  stream.start(Page.position());
  document.addEventListener("visibilitychange", () => document.hidden || page.look());
  const leave = () => stream.stop();
  const catchUp = () => {
    comeBack();
    page.look();
  };
  addEventListener("pagehide", leave);
  addEventListener("pageshow", ({ persisted }) => persisted && catchUp());
  document.addEventListener("freeze", leave);
  document.addEventListener("resume", catchUp);

  function comeBack() {
    isRefused = false;
    connection.state(0);
    stream.start(Page.position());
  }
}

// Such a page never shows the newest position.
function isOfThePast() {
  const asked = new URLSearchParams(location.search);
  return asked.has("version") || asked.has("at");
}

function ownAddress() {
  const address = new URL("api/stream", root);
  const [, kind, id] = watch.match(/^(job|agent):(.*)$/s) ?? [];
  if (kind) address.searchParams.set(`${kind}_id`, id);
  return address.href;
}

function signInLink() {
  const link = document.createElement("a");
  const address = new URL("sign-in", root);
  address.searchParams.set("next", `/${location.href.slice(root.href.length).split("#")[0]}`); // without the prefix
  link.href = address.href;
  link.textContent = "Sign in again";
  return link;
}

if (watch) start();
