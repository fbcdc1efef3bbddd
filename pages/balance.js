/* The load manager's status page while it lives: figures, charts and events as the server tells
   them (GET /events). Without this file the page is made by the server, and loads itself anew. What
   all status pages have is board.js'. */
"use strict";
(() => {
  const { KEPT, W, H, one, set, count, ms, age, shape, ceiling, across, path, begin, mark, lines, alive } = board;
  const EVENTS_KEPT = 200, COLOURS = 8;
  let points = [];
  let outs = []; // times at which a server went out, marked in the charts

  const colour = (id) => (id - 1) % COLOURS; // the same for all who look

  /* ---- Charts ---- */

  const drawLines = (name, now, unit, least, ...fields) => lines(name, points, now, outs, unit, least, ...fields);

  // Requests of each server on top of each other: a server that is gone leaves a gap to be seen.
  function drawStack(now) {
    const top = ceiling(Math.max(1, ...points.map((point) => point.requests_per_s)));
    const chart = begin("rate", top, " /s");
    const ids = [...new Set(points.flatMap((point) => point.servers.map((server) => server.id)))].sort((a, b) => a - b);
    const below = points.map(() => 0);
    for (const id of ids) {
      const upper = points.map((point, i) => {
        const server = point.servers.find((s) => s.id === id);
        return [point.time_ms, below[i] + (server ? server.requests_per_s : 0)];
      });
      const y = (value) => (H * (1 - Math.min(value / top, 1))).toFixed(1);
      const forth = upper.map(([time, value]) => `${across(time, now).toFixed(1)} ${y(value)}`);
      const back = points.map((point, i) => `${across(point.time_ms, now).toFixed(1)} ${y(below[i])}`).reverse();
      if (forth.length > 1) chart.append(shape("path", { class: `area c${colour(id)}`, d: `M${forth.join("L")}L${back.join("L")}Z` }));
      upper.forEach(([, value], i) => (below[i] = value));
    }
    mark(chart, now, outs);
  }

  function drawSpark(row, id, now) {
    const values = points.flatMap((point) => point.servers.filter((s) => s.id === id).map((s) => [point.time_ms, s.p99_ms]));
    const spark = one('[data-c="spark"]', row);
    const top = Math.max(1, ...values.map(([, value]) => value));
    const d = path(values.map(([time, value]) => [time, value]), now, top * 1.05, 20).replace(/([ML])([\d.-]+)/g, (_, letter, x) => letter + (x / 3).toFixed(1));
    spark.replaceChildren(shape("path", { d: d || "M0 0" }));
  }

  function draw() {
    if (!points.length || document.hidden) return;
    const now = points[points.length - 1].time_ms;
    drawStack(now);
    drawLines("latency", now, " ms", 1, "p50_ms", "p99_ms");
    drawLines("in_flight", now, "", 5, "in_flight");
    drawLines("saved", now, " /s", 1, "retries_per_s", "shed_per_s");
    for (const row of document.querySelectorAll("[data-server]")) drawSpark(row, Number(row.dataset.server), now);
  }

  /* ---- A frame ---- */

  function showServer(row, server, total) {
    const cell = (name) => one(`[data-c="${name}"]`, row);
    row.dataset.state = server.state;
    row.className = `c${colour(server.id)}`;
    set(cell("name"), server.name);
    if (/^https?:\/\//.test(server.url)) cell("name").href = server.url;
    set(cell("role"), server.role);
    cell("role").classList.toggle("primary", server.role === "primary");
    set(cell("state"), server.state);
    set(cell("more"), server.out_for_ms ? `${(server.out_for_ms / 1000).toFixed(1)} s` : server.share < 1 ? `${Math.round(server.share * 100)} %` : "");
    set(cell("rate"), count(server.requests_per_s));
    cell("part").setAttribute("width", total > 0 ? Math.min(100, (100 * server.requests_per_s) / total).toFixed(1) : "0");
    set(cell("in_flight"), count(server.in_flight));
    set(cell("homes"), count(server.homes));
    set(cell("p50"), ms(server.p50_ms));
    set(cell("p99"), ms(server.p99_ms));
    set(cell("round_trip"), ms(server.round_trip_ms));
    set(cell("retries"), count(server.retries));
    const errors = server.failures + server.answered_5xx;
    set(cell("failures"), count(errors));
    cell("failures").title = `${server.refused} refused, ${server.resets} reset, ${server.timeouts} too late, ${server.answered_5xx} of 5xx`;
    cell("failures").classList.toggle("some", server.failures_per_s > 0);
    set(cell("ejections"), count(server.ejections));
  }

  function showServers(view) {
    const body = one("[data-servers]");
    const known = new Set(view.servers.map((server) => String(server.id)));
    for (const row of [...body.children]) if (!known.has(row.dataset.server)) row.remove();
    one("[data-no-servers]")?.remove();
    view.servers.forEach((server, i) => {
      let row = [...body.children].find((child) => child.dataset.server === String(server.id));
      if (!row) {
        row = one("[data-row]").content.firstElementChild.cloneNode(true);
        row.dataset.server = server.id;
      }
      if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
      showServer(row, server, view.totals.requests_per_s);
    });
  }

  function showTotals(view) {
    const totals = view.totals;
    const say = (name, text) => set(one(`[data-v="${name}"]`), text);
    say("servers-words", `${totals.usable} of ${totals.servers} servers usable`);
    say("age", age(view.uptime_s));
    say("rate", count(totals.requests_per_s));
    say("requests", count(totals.requests));
    say("failed", count(totals.failed));
    say("p50", ms(totals.p50_ms));
    say("p99", ms(totals.p99_ms));
    for (const name of ["in_flight", "queue", "clients", "retries", "shed", "hedges"]) say(name, count(totals[name]));
    say("tunnels", count(totals.tunnels_open));
    say("spread", totals.spread.toFixed(2));
    say("processor", (100 * totals.processor).toFixed(0));
    say("resident", (totals.resident_bytes / 1e6).toFixed(0));
    one("[data-panic]").hidden = !totals.panic;
    one("[data-none]").hidden = totals.usable > 0;
    document.title = `${totals.usable ? `${totals.usable} of ${totals.servers}` : "No server"} – Load manager`;
  }

  function show(view) {
    const totals = view.totals;
    points.push({
      time_ms: Date.parse(view.time), requests_per_s: totals.requests_per_s, p50_ms: totals.p50_ms, p99_ms: totals.p99_ms,
      in_flight: totals.in_flight, retries_per_s: totals.retries_per_s, shed_per_s: totals.shed_per_s,
      servers: view.servers.map(({ id, requests_per_s, p50_ms, p99_ms }) => ({ id, requests_per_s, p50_ms, p99_ms })),
    });
    points = points.slice(-KEPT);
    showTotals(view);
    showServers(view);
    draw();
  }

  /* ---- What happens ---- */

  function tell(event) {
    const list = one("[data-events]");
    if (event.kind === "out") outs = [...outs, Date.parse(event.time)].slice(-50);
    if (one(`[data-event="${event.number}"]`, list)) return;
    const line = document.createElement("li"), time = document.createElement("time");
    const kind = document.createElement("span"), said = document.createElement("span");
    line.dataset.event = event.number;
    line.dataset.kind = event.kind;
    line.className = "fresh";
    time.dateTime = event.time;
    time.textContent = event.time.slice(11, 19);
    kind.className = "kind";
    kind.textContent = event.kind;
    said.className = "said";
    if (event.name) {
      const name = document.createElement("b");
      name.textContent = `${event.name}:`;
      said.append(name, " ");
    }
    said.append(event.text);
    line.append(time, " ", kind, " ", said);
    const newer = [...list.children].find((child) => Number(child.dataset.event) < event.number);
    list.insertBefore(line, newer ?? null);
    while (list.children.length > EVENTS_KEPT) list.lastElementChild.remove();
  }

  /* ---- Listening ---- */

  let heard = 0;
  function listen() {
    const source = new EventSource("/events");
    const hear = (take) => (message) => {
      heard = Date.now();
      alive(true);
      take(JSON.parse(message.data));
    };
    source.addEventListener("view", hear(show));
    source.addEventListener("happened", hear(tell));
    source.addEventListener("missed", hear((missed) => {
      const line = document.createElement("li");
      line.textContent = `${missed} events were missed`;
      one("[data-events]").prepend(line);
    }));
    source.onerror = () => {
      alive(false);
      // The browser gives up on an answer that is no stream; a load manager that starts is asked again.
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
    };
  }
  setInterval(() => heard && Date.now() - heard > 3500 && alive(false), 1000);
  document.addEventListener("visibilitychange", draw);

  fetch("/history.json")
    .then((answer) => answer.json())
    .then((history) => {
      points = [...history.points, ...points].slice(-KEPT);
      draw();
    })
    .catch(() => {})
    .finally(listen);
})();
