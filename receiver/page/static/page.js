// Keeps an open page current. Without this script the page works the same and stands still.
// The server says by an event that something changed; the page is then fetched again, and the parts that differ are
// replaced. A part in which somebody writes is left alone, and what was unfolded stays so.
(() => {
  "use strict";
  const body = document.body;
  const status = document.getElementById("live");
  let version = body.dataset.version;
  let retry = 0;
  let pending = false;

  const tell = (text) => {
    if (status && status.textContent !== text) status.textContent = text;
  };

  const comparable = (part) =>
    part.outerHTML.replace(/name="(request_id|token)" value="[^"]*"/g, "").replace(/ open=""/g, "").replace(/<time[^>]*data-age[^<]*<\/time>/g, "");

  const isBusy = (part) =>
    part.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName) ||
    Array.from(part.querySelectorAll("textarea, input[type=text], input[type=checkbox]")).some(
      (field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked);

  const merge = (fresh) => {
    if (!fresh || !fresh.getElementById("main")) return location.reload();
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next || isBusy(part) || comparable(part) === comparable(next)) continue;
      for (const open of part.querySelectorAll("details[open][id]")) {
        const same = next.querySelector("#" + CSS.escape(open.id));
        if (same) same.open = true;
      }
      part.replaceWith(document.importNode(next, true));
    }
    version = fresh.body.dataset.version;
    ahead = Date.now() - 1000 * Number(fresh.body.dataset.now);
    document.title = fresh.title;
    ages();
  };

  // XMLHttpRequest parses a document without running any script in it.
  const fetchPage = () => {
    if (pending) return;
    pending = true;
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname + location.search);
    request.responseType = "document";
    request.onload = () => { pending = false; const isHere = new URL(request.responseURL).pathname === location.pathname;
      if (!isHere) location.reload();  // the session has ended
      else if (request.status === 200) merge(request.response); };
    request.onerror = () => { pending = false; };
    request.send();
  };

  const connect = () => {
    const incident = body.dataset.topic;
    const source = new EventSource("/events" + (incident ? "?incident=" + encodeURIComponent(incident) : ""));
    source.addEventListener("version", (event) => {
      retry = 0;
      tell("Live");
      if (event.data !== version) { version = event.data; fetchPage(); }
    });
    source.onerror = () => {
      tell("Reconnecting…");
      if (source.readyState !== EventSource.CLOSED) return;
      retry = Math.min(retry + 1, 6);
      setTimeout(connect, 5000 * retry);
    };
    addEventListener("pagehide", () => source.close(), { once: true });
  };

  const span = (seconds) => {
    const short = (value) => String(value < 9.95 ? Math.round(value * 10) / 10 : Math.round(value));
    if (seconds < 120) return Math.round(seconds) + " s";
    if (seconds < 7200) return Math.round(seconds / 60) + " min";
    return seconds < 172800 ? short(seconds / 3600) + " h" : short(seconds / 86400) + " days";
  };

  // The clock of a telephone may be wrong: ages follow the server's.
  let ahead = Date.now() - 1000 * Number(body.dataset.now);

  const ages = () => {
    for (const element of document.querySelectorAll("time[data-age]")) {
      const seconds = (Date.now() - ahead - Date.parse(element.dateTime)) / 1000;
      element.textContent = seconds >= 0 ? span(seconds) + " ago" : "in " + span(-seconds);
    }
  };

  // One press is one effect anyway; a button that answers at once keeps people from pressing again.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button && event.target.method === "post") setTimeout(() => { button.disabled = true; }, 0);
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();  // it comes out of the browser's memory, without its stream
    for (const button of document.querySelectorAll("button:disabled")) button.disabled = false;
  });
  // A link to a fact opens the folded list that holds it.
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
  if (body.dataset.now) setInterval(ages, 15000);
  if (body.dataset.topic !== undefined && window.EventSource) connect();
})();
