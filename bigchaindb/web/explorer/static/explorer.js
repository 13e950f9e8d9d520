// What the pages do beyond being read.  All of them are complete without it.
//
// No page is built here: the event stream only says that something was decided, then the server's own rendering is
// fetched again, at most once in `data-least` milliseconds, and what is different in it is put in the place of what is
// there.
"use strict";

(() => {
  const RETRY_MILLISECONDS = 3000; // after one that failed
  const IDLE_MILLISECONDS = 15000; // what no event tells of (votes, the backlog, the clock) is looked at this often
  const PATIENCE_MILLISECONDS = 10000; // a node that does not answer by then is away
  const SAY_MILLISECONDS = 10000; // between two announcements to a screen reader

  // --- the search box: "/" goes there ---

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      document.getElementById("q").focus();
    }
  });

  // --- copying ---

  const said = document.createElement("p");
  said.className = "hidden";
  said.setAttribute("role", "status");
  document.body.append(said);

  const copy = async (source) => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      return true;
    } catch {
      // Over plain HTTP there is no clipboard; what is selected can be copied all the same.
      getSelection().selectAllChildren(source);
      return document.execCommand("copy");
    }
  };

  const addButtons = (part) => {
    for (const source of part.querySelectorAll("[data-copy]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy the ${source.dataset.copy}`);
      button.addEventListener("click", async () => {
        const isCopied = await copy(source);
        button.textContent = isCopied ? "Copied" : "Selected";
        said.textContent = `The ${source.dataset.copy} was ${isCopied ? "copied" : "selected"}.`;
        setTimeout(() => (button.textContent = "Copy"), 2000);
      });
      if (source.tagName === "PRE") {
        source.before(button);
      } else {
        source.after(button);
      }
    }
  };

  addButtons(document);

  // --- what changes ---

  const live = document.getElementById("live");
  if (!live || !window.EventSource) {
    return;
  }

  let isOn = true;
  let isReached = true;
  let seenAt = new Date();
  let stream = null;
  let timer = null;
  let fetchedAt = 0;

  const bar = document.createElement("p");
  const dot = document.createElement("span");
  const word = document.createElement("span");
  const toggle = document.createElement("button");
  bar.className = "live-bar";
  dot.className = "dot";
  dot.setAttribute("aria-hidden", "true");
  toggle.type = "button";
  toggle.className = "copy";
  bar.append(dot, word, toggle);
  live.before(bar);

  const show = () => {
    const lost = `No connection; as of ${seenAt.toISOString().slice(11, 19)}`;
    bar.classList.toggle("on", isOn && isReached);
    bar.classList.toggle("lost", isOn && !isReached);
    word.textContent = !isOn ? "Paused" : isReached ? "Live" : lost;
    toggle.textContent = isOn ? "Pause" : "Go on";
    toggle.setAttribute("aria-label", isOn ? "Pause live updates" : "Go on with live updates");
  };

  const close = () => {
    if (stream) {
      stream.close();
      stream = null;
    }
  };

  // The stream is closed at its first event and opened again behind what was fetched, so that a busy ledger costs
  // this page one fetch a second and not an event per transaction.
  const listen = () => {
    close();
    stream = new EventSource(`${live.dataset.stream}?since=${live.dataset.since}`);
    stream.onmessage = (event) => {
      if (event.data) {
        close();
        soon(Number(live.dataset.least));
      }
    };
    stream.onerror = () => {
      close();
      soon(RETRY_MILLISECONDS);
    };
  };

  const soon = (least) => {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(0, fetchedAt + least - performance.now()));
  };

  const look = async () => {
    try {
      const answer = await fetch(location.pathname + location.search, {
        headers: { Accept: "text/html" },
        signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
      });
      const text = answer.ok ? await answer.text() : "";
      return new DOMParser().parseFromString(text, "text/html").getElementById("live");
    } catch {
      return null;
    }
  };

  const refresh = async () => {
    if (!isOn || document.hidden) {
      return;
    }
    fetchedAt = performance.now();
    const next = await look();
    if (!isOn || document.hidden) {
      return;
    }
    if (next) {
      seenAt = new Date();
      addButtons(next);
      update(live, next);
      say();
      listen();
    } else {
      close();
    }
    if (isReached !== Boolean(next)) {
      isReached = !isReached;
      said.textContent = isReached ? "Connected again." : "No connection.";
    }
    show();
    soon(next ? IDLE_MILLISECONDS : RETRY_MILLISECONDS);
  };

  // What is the same stays the very same, with its focus and its selection; what was opened stays open.
  const update = (old, next) => {
    if (old.isEqualNode(next)) {
      return;
    }
    if (old.nodeName !== next.nodeName || !old.firstElementChild || !next.firstElementChild) {
      old.replaceWith(next);
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !next.hasAttribute(name)) {
        old.removeAttribute(name);
      }
    }
    for (const { name, value } of next.attributes) {
      old.setAttribute(name, value);
    }
    if (old.nodeName === "TBODY" && next.querySelector("a")) {
      updateRows(old, next);
      return;
    }
    const before = [...old.childNodes];
    const after = [...next.childNodes];
    after.forEach((child, place) => (place < before.length ? update(before[place], child) : old.append(child)));
    before.slice(after.length).forEach((child) => child.remove());
  };

  // A row is known by where it leads.
  const updateRows = (old, next) => {
    const rows = new Map([...old.rows].map((row) => [leadsTo(row), row]));
    const gone = new Set(old.rows);
    let place = old.rows[0] ?? null;
    for (const row of [...next.rows]) {
      const same = rows.get(leadsTo(row));
      if (!same || !gone.delete(same)) {
        row.classList.add("new");
        old.insertBefore(row, place);
        continue;
      }
      if (same === place) {
        place = place.nextElementSibling;
      } else {
        old.insertBefore(same, place);
      }
      update(same, row);
    }
    gone.forEach((row) => row.remove());
  };

  const leadsTo = (row) => [...row.querySelectorAll("a")].map((link) => link.getAttribute("href")).join(" ");

  const headline = () => (live.querySelector(".sentence") ?? live.querySelector("h1")).textContent.trim();
  let known = headline();
  let saidAt = -Infinity;

  const say = () => {
    if (headline() !== known && performance.now() - saidAt > SAY_MILLISECONDS) {
      said.textContent = known = headline();
      saidAt = performance.now();
    }
  };

  const end = () => {
    close();
    clearTimeout(timer);
  };

  toggle.addEventListener("click", () => {
    isOn = !isOn;
    show();
    if (isOn) {
      refresh();
    } else {
      end();
    }
  });

  // A page that nobody sees holds no connection: browsers have but six per host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      end();
    } else if (isOn) {
      refresh();
    }
  });
  window.addEventListener("pagehide", end);

  show();
  listen();
  soon(IDLE_MILLISECONDS);
})();
