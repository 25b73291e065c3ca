"use strict";
// Curves tell the value under the pointer: of each trace of a panel the nearest step.
(() => {
  const { curves } = JSON.parse(document.getElementById("data").textContent);
  const make = (name) => Object.assign(document.createElement("div"), { className: name });
  for (const chart of document.querySelectorAll("[data-curve]")) {
    const panels = curves[chart.dataset.curve];
    const reading = make("reading"), rule = make("rule-at");
    const leave = () => { reading.remove(); rule.remove(); };
    const look = (event) => {
      const box = chart.firstElementChild.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width, y = 1 - (event.clientY - box.top) / box.height;
      const panel = panels.find(({ box: [, bottom, , height] }) => y >= bottom && y <= bottom + height);
      if (!panel) return leave();
      const [left, bottom, width, height] = panel.box, [low, high] = panel.x;
      const step = low + (x - left) / width * (high - low);
      let nearest = null;
      for (const { points } of panel.traces) for (const [at] of points)
        if (nearest === null || Math.abs(at - step) < Math.abs(nearest - step)) nearest = at;
      const words = [];
      for (const { name, points } of panel.traces) {
        const point = points.find(([at]) => at === nearest);
        if (point) words.push(`${name} ${panel.percent ? `${(100 * point[1]).toFixed(1)}%` : +point[1].toFixed(panel.digits)}`);
      }
      if (!words.length) return leave();
      reading.textContent = `step ${nearest.toLocaleString("en")}: ${words.join(", ")}`;
      const px = (left + width * (nearest - low) / (high - low)) * box.width;
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
