/* The tiers' status page while it lives: figures, charts and decisions, asked for each second (GET
   /tiers.json). Without this file the page is made by the front, and loads itself anew. What all
   status pages have is board.js'. */
"use strict";
(() => {
  const { KEPT, one, set, count, ms, age, lines, alive } = board;
  const EVERY_MS = 1000;
  let points = [];
  let turns = []; // times of decisions, marked in the charts

  const say = (name, text) => set(one(`[data-v="${name}"]`), text);
  const words = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const found = (ratio) => (ratio === null ? "–" : `${(100 * ratio).toFixed(0)} %`);
  const live = (view) => Boolean(view.scale && view.scale.live);

  function draw() {
    if (!points.length || document.hidden) return;
    const now = points[points.length - 1].time_ms;
    lines("length", points, now, turns, "", 5, "length");
    lines("wait", points, now, turns, " ms", 1, "p50_ms", "p99_ms");
    lines("rate", points, now, turns, " /s", 1, "answered_per_s", "lost_per_s");
    lines("workers", points, now, turns, "", 2, "workers", "wanted");
  }

  /* ---- A look ---- */

  function showQueue(queue) {
    say("length", count(queue.length));
    say("work", count(Math.max(0, queue.held - queue.length)));
    say("slots", String(queue.slots));
    say("oldest", ms(queue.oldest_wait_ms));
    for (const share of ["p50", "p90", "p99"]) say(share, ms(queue[`wait_${share}_ms`]));
    for (const name of ["arrived_per_s", "answered_per_s"]) say(name, count(queue[name]));
    say("lost_per_s", count(queue.dropped_per_s + queue.refused_per_s));
    for (const name of ["given_back", "idle"]) say(name, String(queue[name]));
    say("found", found(queue.hit_ratio));
    say("deaths-words", words(queue.died, "death"));
  }

  function showSizes(view) {
    const { workers, fronts } = view.sizes;
    const fleet = live(view) && view.scale.fleet.find((tier) => tier.tier === "worker");
    say("fronts-words", words(fronts.ready, "front"));
    say("workers-words", words(workers.ready, "worker"));
    say("rule-words", live(view) ? `scaled by rule ${view.scale.rule}` : "not scaled");
    say("master-words", view.master ? `master is process ${view.master}` : "no master");
    say("age", age(view.uptime_s));
    say("ready", String(workers.ready));
    say("of-wanted", live(view) ? ` of ${view.scale.workers_wanted}` : "");
    say("busy", (100 * workers.busy).toFixed(0));
    say("fleet-words", fleet ? `${fleet.starts} started, ${fleet.crashes} crashed` : "no fleet");
    one("[data-no-worker]").hidden = workers.ready > 0;
    one("[data-no-master]").hidden = view.master > 0;
    document.title = `${count(view.queue.length)} waiting, ${words(workers.ready, "worker")} – Tiers`;
  }

  const mib = (bytes) => (bytes / 1048576).toFixed(1);
  const cacheWords = (cache) => ` found in cache, ${mib(cache.bytes)} of ${mib(cache.limit_bytes)} MiB, ${cache.evicted} evicted, ${cache.lag_entries} behind; `;
  const besidesFront = (front) => `${words(front.connections, "connection")}, ${front.retried} pushed again, ${front.cut} cut`;

  function showMember(row, member, tier) {
    const cell = (name) => one(`[data-c="${name}"]`, row);
    row.dataset.state = member.state;
    set(cell("name"), member.number ? `${tier} ${member.number}` : tier);
    set(cell("role"), `${member.master ? "master, " : ""}process ${member.pid}${member.host ? ` at ${member.host}` : ""}`);
    cell("role").classList.toggle("primary", Boolean(member.master));
    set(cell("state"), member.state);
    set(cell("busy"), (100 * member.busy).toFixed(0));
    cell("part").setAttribute("width", Math.min(100, 100 * member.busy).toFixed(0));
    set(cell("open"), String(member.open));
    set(cell("requests"), String(tier === "front" ? member.requests : member.handled));
    set(cell("rate"), count(member.requests_per_s));
    set(cell("found"), member.cache ? found(member.cache.hit_ratio) : "");
    set(cell("cache"), member.cache ? cacheWords(member.cache) : "");
    set(cell("besides"), tier === "front" ? besidesFront(member) : words(member.empty_polls, "empty poll"));
  }

  function showMembers(view) {
    const body = one("[data-members]");
    const all = [...view.fronts.map((member) => [member, "front"]), ...view.workers.map((member) => [member, "worker"])];
    while (body.children.length > all.length) body.lastElementChild.remove();
    all.forEach(([member, tier], i) => {
      if (!body.children[i]) body.append(one("[data-row]").content.firstElementChild.cloneNode(true));
      showMember(body.children[i], member, tier);
    });
  }

  function showClasses(queue) {
    for (const row of one("[data-classes]").children) {
      const of = queue.classes.find((each) => each.class === row.dataset.class);
      const cell = (name, text) => set(one(`[data-c="${name}"]`, row), text);
      cell("share", String(of.share));
      cell("waiting", String(of.waiting));
      cell("work", String(Math.max(0, of.held - of.waiting)));
      cell("arrived", count(of.arrived_per_s));
      cell("answered", count(of.answered_per_s));
      cell("work_ms", ms(of.work_ms));
      for (const name of ["done", "dropped", "refused"]) cell(name, String(of[name]));
    }
  }

  /* ---- Decisions ---- */

  const changed = ([before, after]) => before !== after;
  const sizes = (name, [before, after]) => (before === after ? "" : `${name} ${before} → ${after}`);

  function decisionLine(event) {
    const line = document.createElement("li"), time = document.createElement("time");
    const kind = document.createElement("span"), said = document.createElement("span"), inputs = document.createElement("span");
    const [before, after] = changed(event.workers) ? event.workers : event.fronts;
    line.dataset.kind = after > before ? "more" : "fewer";
    time.dateTime = event.time;
    time.textContent = event.time.slice(11, 19);
    kind.className = "kind";
    kind.textContent = [sizes("workers", event.workers), sizes("fronts", event.fronts)].filter(Boolean).join(", ");
    said.className = "said";
    inputs.className = "dim";
    inputs.textContent = `${event.queued} waiting, nine of ten ${event.wait_p90_ms.toFixed(1)} ms; ${event.busy.toFixed(2)} of ${event.ready} workers busy`;
    said.append(event.reason, " ", inputs);
    line.append(time, " ", kind, " ", said);
    return line;
  }

  let decided = -1;
  function showDecisions(scale) {
    if (!scale || scale.decisions === decided) return;
    decided = scale.decisions;
    turns = scale.events.map((event) => Date.parse(event.time));
    one("[data-decisions]").replaceChildren(...scale.events.map(decisionLine).reverse());
  }

  function show(view) {
    const { queue, sizes: { workers, fronts } } = view;
    points.push({
      time_ms: view.time_ms, length: queue.length, p50_ms: queue.wait_p50_ms, p99_ms: queue.wait_p99_ms,
      answered_per_s: queue.answered_per_s, lost_per_s: queue.dropped_per_s + queue.refused_per_s,
      workers: workers.ready, wanted: live(view) ? view.scale.workers_wanted : 0, fronts: fronts.ready,
    });
    points = points.slice(-KEPT);
    showQueue(queue);
    showSizes(view);
    showDecisions(view.scale);
    showMembers(view);
    showClasses(queue);
    draw();
  }

  /* ---- Asking ---- */

  const ask = (path) => fetch(path, { cache: "no-store", signal: AbortSignal.timeout(3 * EVERY_MS) }).then((answer) => {
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  });

  function askOn() {
    ask("/tiers.json")
      .then((view) => {
        alive(true);
        show(view);
      })
      .catch(() => alive(false))
      .finally(() => setTimeout(askOn, EVERY_MS));
  }

  document.addEventListener("visibilitychange", draw);
  ask("/history.json")
    .then((history) => { points = [...history.points, ...points].slice(-KEPT); })
    .catch(() => {})
    .finally(askOn);
})();
