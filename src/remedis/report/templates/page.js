"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const make = (tag, name) => Object.assign(document.createElement(tag), { className: name });

  // Tables sort by the column whose heading is clicked; numbers by value, words by letters.
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.classList.contains("plot") || !head.textContent.trim()) return;
      const button = make("button", "");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const falling = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        table.classList.add("sorted");
        const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          const order = x !== "" && y !== "" && !isNaN(x) && !isNaN(y) ? x - y : x.localeCompare(y);
          return falling ? -order : order;
        });
        table.tBodies[0].append(...rows);
      });
    });
  }

  // A table wider than the screen scrolls in its own box, which the keyboard must reach too.
  const reach = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", box.querySelector("caption")?.textContent.trim() ?? "table");
      } else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  };
  reach();
  addEventListener("resize", reach);

  // Curves tell the point under the pointer.
  const digits = (value) => value.toFixed(2);
  for (const chart of document.querySelectorAll(".chart[data-chart]")) {
    const lines = data.charts[chart.dataset.chart];
    const [left, bottom, width, height] = data.axes;
    const [low, high] = data.limits;
    const place = (value) => (value - low) / (high - low);
    const spot = make("div", "spot"), reading = make("div", "reading");
    const leave = () => { spot.remove(); reading.remove(); };
    chart.addEventListener("pointerleave", leave);
    chart.addEventListener("pointermove", (event) => {
      const box = chart.firstElementChild.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
      let best = null;
      for (const line of lines) for (const [a, b, threshold] of line.points) {
        const px = left + width * place(a), py = 1 - bottom - height * place(b);
        const far = (px - x) ** 2 + (py - y) ** 2;
        if (!best || far < best.far) best = { far, px, py, a, b, threshold, line };
      }
      if (!best || best.far > 0.02) return leave();
      const [one, two] = chart.dataset.reads.split("|");
      const at = best.threshold === null ? "nothing called positive" : `score ≥ ${digits(best.threshold)}`;
      reading.textContent = `${best.line.name}, ${at}: ${one} ${digits(best.b)}, ${two} ${digits(chart.dataset.flip ? 1 - best.a : best.a)}`;
      spot.style.background = best.line.colour;
      spot.style.left = `${best.px * box.width}px`;
      spot.style.top = `${best.py * box.height}px`;
      chart.append(spot, reading);
      reading.style.left = `${Math.max(0, Math.min(best.px * box.width + 12, box.width - reading.offsetWidth))}px`;
      reading.style.top = `${Math.max(0, best.py * box.height - reading.offsetHeight - 10)}px`;
    });
  }

  // The map shows the picture of the nearest point.
  const map = document.querySelector(".map");
  if (map && data.map) {
    const svg = map.querySelector("svg"), glance = make("div", "glance");
    glance.setAttribute("aria-hidden", "true");
    let marked = null;
    const leave = () => { glance.remove(); marked?.classList.remove("on"); marked = null; };
    const circles = [...svg.querySelectorAll("circle")];
    svg.addEventListener("pointerleave", leave);
    const look = (event) => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
      let best = null, least = 40 ** 2;
      circles.forEach((circle, number) => {
        const far = (circle.cx.baseVal.value - x) ** 2 + (circle.cy.baseVal.value - y) ** 2;
        if (far < least) { least = far; best = number; }
      });
      if (best === null) return leave();
      marked?.classList.remove("on");
      marked = circles[best];
      marked.classList.add("on");
      const [name, words, tile] = data.map[best];
      glance.replaceChildren();
      if (tile) {
        const frame = make("span", "frame"), thumb = make("span", "thumb");
        thumb.style.cssText = tile;
        frame.append(thumb);
        glance.append(frame);
      }
      const title = make("b", "");
      title.textContent = name;
      glance.append(title);
      for (const word of words) glance.append(Object.assign(make("div", ""), { textContent: word }));
      map.append(glance);
      const home = map.getBoundingClientRect();
      const px = circles[best].cx.baseVal.value / scale + box.left - home.left, py = circles[best].cy.baseVal.value / scale + box.top - home.top;
      glance.style.left = `${px + 170 > home.width ? Math.max(0, px - 162) : px + 14}px`;
      glance.style.top = `${Math.max(0, py - glance.offsetHeight / 2)}px`;
    };
    svg.addEventListener("pointermove", look);
    svg.addEventListener("pointerdown", look);
  }

  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.of).textContent.trim());
      button.textContent = "copied";
    });
  }
  addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details")) one.open = true; });
})();
