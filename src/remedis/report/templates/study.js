"use strict";
// A panel tells every curve's value at the share nearest to the pointer.
(() => {
  const { shares } = JSON.parse(document.getElementById("data").textContent);
  const make = (name) => Object.assign(document.createElement("div"), { className: name });
  for (const chart of document.querySelectorAll("[data-shares]")) {
    const { box: [left, bottom, width, height], x: [low, high], traces } = shares[chart.dataset.shares];
    const all = [...new Set(traces.flatMap(({ points }) => points.map(([share]) => share)))];
    const reading = make("reading lines"), rule = make("rule-at");
    const leave = () => { reading.remove(); rule.remove(); };
    const look = (event) => {
      const box = chart.firstElementChild.getBoundingClientRect();
      const across = low + ((event.clientX - box.left) / box.width - left) / width * (high - low);
      const nearest = all.reduce((a, b) => Math.abs(Math.log(b) - across) < Math.abs(Math.log(a) - across) ? b : a);
      const words = [`${+(100 * nearest).toPrecision(3)}% of the labels`];
      for (const { name, points } of traces) {
        const point = points.find(([share]) => share === nearest);
        if (!point || point[1] === null) continue;
        const interval = point[2] === null ? "" : ` (${point[2].toFixed(3)}–${point[3].toFixed(3)})`;
        words.push(`${name}: ${point[1].toFixed(3)}${interval}`);
      }
      reading.textContent = words.join("\n");
      const px = (left + width * (Math.log(nearest) - low) / (high - low)) * box.width;
      rule.style.cssText = `left:${px}px;top:${(1 - bottom - height) * box.height}px;height:${height * box.height}px`;
      chart.append(rule, reading);
      reading.style.left = `${Math.max(0, Math.min(px + 10, box.width - reading.offsetWidth))}px`;
      reading.style.top = `${(1 - bottom - height) * box.height}px`;
    };
    chart.addEventListener("pointerleave", leave);
    chart.addEventListener("pointermove", look);
    chart.addEventListener("pointerdown", look);
  }
})();
