/* What status pages have in common: figures in words, and charts of the last three minutes, drawn
   anew each second. Comes before the page's own script. */
"use strict";
const board = (() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const KEPT = 180, W = 300, H = 88;

  const set = (place, text) => {
    if (place && place.textContent !== text) place.textContent = text;
  };
  const count = (n) => (n >= 1e7 ? `${(n / 1e6).toFixed(1)} M` : Math.round(n).toLocaleString("en").replace(/,/g, " "));
  const ms = (n) => (n ? n.toFixed(n < 10 ? 2 : n < 100 ? 1 : 0) : "–");
  const age = (s) => {
    const minutes = Math.floor(s / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (days) return `${days} d ${hours % 24} h`;
    return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min ${Math.floor(s) % 60} s`;
  };

  /* ---- Charts: 180 seconds from left to right ---- */

  const shape = (tag, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // The next of 1, 2, 5, 10 … so that the scale rests.
  function ceiling(value) {
    const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
    return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= value);
  }

  const across = (time, now) => W * (1 - (now - time) / (KEPT * 1000));

  function path(values, now, top, height = H) {
    let text = "", before = 0;
    values.forEach(([time, value]) => {
      text += `${text && time - before < 5000 ? "L" : "M"}${across(time, now).toFixed(1)} ${(height * (1 - Math.min(value / top, 1))).toFixed(1)}`;
      before = time;
    });
    return text;
  }

  function begin(name, top, unit) {
    const chart = one(`[data-chart="${name}"]`);
    chart.removeAttribute("hidden");
    chart.setAttribute("viewBox", `0 0 ${W} ${H}`);
    chart.setAttribute("preserveAspectRatio", "none");
    chart.replaceChildren(shape("path", { class: "rule", d: `M0 0H${W}M0 ${H / 2}H${W}M0 ${H}H${W}` }));
    let scale = chart.nextElementSibling;
    if (!scale.matches(".scale")) {
      scale = document.createElement("p");
      scale.className = "scale dim";
      chart.after(scale);
    }
    set(scale, `0 – ${top >= 1 ? top.toLocaleString("en").replace(/,/g, " ") : top}${unit}, last 3 min`);
    return chart;
  }

  // TIMES at which something happened.
  function mark(chart, now, times) {
    const marks = times.filter((time) => now - time < KEPT * 1000).map((time) => `M${across(time, now).toFixed(1)} 0V${H}`).join("");
    if (marks) chart.append(shape("path", { class: "mark", d: marks }));
  }

  // A line for each of FIELDS of POINTS.
  function lines(name, points, now, times, unit, least, ...fields) {
    const top = ceiling(Math.max(least, ...points.flatMap((point) => fields.map((field) => point[field]))));
    const chart = begin(name, top, unit);
    fields.forEach((field, i) =>
      chart.append(shape("path", { class: i ? "line tail" : "line", d: path(points.map((point) => [point.time_ms, point[field]]), now, top) })));
    mark(chart, now, times);
  }

  function alive(yes) {
    const place = one("[data-alive]");
    place.hidden = false;
    place.classList.toggle("lost", !yes);
    set(one("[data-alive-words]"), yes ? "live" : "not heard from");
  }

  return { KEPT, W, H, one, set, count, ms, age, shape, ceiling, across, path, begin, mark, lines, alive };
})();
