// What the pages do beyond being read.  All of them are complete without it.
//
// The front page is not built here: the event stream only says that something was decided, then the server's own
// rendering is fetched and put in the place of what is there, at most once a second.
"use strict";

(() => {
  const LEAST_MILLISECONDS = 1000; // between two fetches
  const IDLE_MILLISECONDS = 15000; // what no event tells of (votes, the backlog, the clock) is looked at this often
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

  if (navigator.clipboard) {
    for (const source of document.querySelectorAll("[data-copy]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy the ${source.dataset.copy}`);
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(source.textContent);
          button.textContent = "Copied";
          said.textContent = `The ${source.dataset.copy} was copied.`;
        } catch {
          getSelection().selectAllChildren(source);
          button.textContent = "Selected";
        }
        setTimeout(() => (button.textContent = "Copy"), 2000);
      });
      if (source.tagName === "PRE") {
        source.before(button);
      } else {
        source.after(button);
      }
    }
  }

  // --- the front page ---

  const place = document.getElementById("live");
  if (!place || !window.EventSource) {
    return;
  }

  let isOn = true;
  let stream = null;
  let timer = null;
  let fetchedAt = 0;
  let saidAt = performance.now();
  let saidCount = Number(place.firstElementChild.dataset.transactions);

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
  place.before(bar);

  const show = () => {
    bar.classList.toggle("on", isOn);
    word.textContent = isOn ? "Live" : "Paused";
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
    const since = place.firstElementChild.dataset.sequence;
    stream = new EventSource(`${place.dataset.stream}?since=${since}`);
    stream.onmessage = (event) => {
      if (event.data) {
        close();
        soon();
      }
    };
  };

  const soon = (least = LEAST_MILLISECONDS) => {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(0, fetchedAt + least - performance.now()));
  };

  const refresh = async () => {
    if (!isOn || document.hidden) {
      return;
    }
    fetchedAt = performance.now();
    try {
      const answer = await fetch(place.dataset.live, { headers: { Accept: "text/html" } });
      if (answer.ok) {
        put(new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild);
      }
    } catch {
      // The node is away for a moment; the next look is not far.
    }
    if (isOn && !document.hidden) {
      listen();
      soon(IDLE_MILLISECONDS);
    }
  };

  const put = (next) => {
    const current = place.firstElementChild;
    if (!next || next.outerHTML === current.outerHTML) {
      return;
    }
    const known = new Set([...current.querySelectorAll("td:first-child a")].map((link) => link.href));
    for (const link of next.querySelectorAll("td:first-child a")) {
      if (known.size && !known.has(link.href)) {
        link.closest("tr").classList.add("new");
      }
    }
    for (const open of current.querySelectorAll("details[open]")) {
      next.querySelector(`#${open.id}`)?.setAttribute("open", "");
    }
    const focused = current.contains(document.activeElement) ? document.activeElement : null;
    current.replaceWith(next);
    if (focused) {
      const again =
        focused.tagName === "SUMMARY"
          ? next.querySelector("summary")
          : [...next.querySelectorAll("a")].find((link) => link.href === focused.href);
      again?.focus({ preventScroll: true });
    }
    say(Number(next.dataset.transactions));
  };

  const say = (count) => {
    if (count !== saidCount && performance.now() - saidAt > SAY_MILLISECONDS) {
      said.textContent = `${count - saidCount} more transactions, ${count} in all.`;
      saidAt = performance.now();
      saidCount = count;
    }
  };

  const begin = () => {
    listen();
    soon(IDLE_MILLISECONDS);
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
  begin();
})();
