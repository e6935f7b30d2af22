"use strict";
// Only the cells that can be seen are in the page, so that a thousand clusters
// cost no more than ten.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const view = $("view"), sheet = $("sheet"), about = $("about");
  const rowHeight = 28;
  let gate, rows = [], clusters = [], at = { row: 0, column: 0 }, hover = null;

  for (const [i, g] of data.gates.entries()) {
    const o = document.createElement("option");
    o.value = i;
    o.textContent = g.name;
    $("gate").append(o);
  }
  $("gate").parentElement.hidden = data.gates.length < 2;

  const widths = () => {
    const wide = view.clientWidth;
    const path = Math.round(Math.min(Math.max(wide * 0.34, 140), 440));
    const room = (wide - path) / Math.max(clusters.length, 1);
    return { path, cell: Math.floor(Math.min(Math.max(room, 130), 340)) };
  };

  // chainOf is the chain of a cluster in a row, null when nothing is set.
  const chainOf = (row, cluster) => {
    const n = row.of[cluster];
    return n < 0 ? null : row.chains[n];
  };
  const valueOf = (row, cluster) => {
    const c = chainOf(row, cluster);
    return c === null || c.missing ? null : c.value;
  };

  function choose() {
    gate = data.gates[Number($("gate").value) || 0];
    const path = $("path").value.trim().toLowerCase();
    const name = $("cluster").value.trim().toLowerCase();
    const bad = $("bad").checked;
    rows = gate.rows.filter((r) => (!bad || r.broken) && (path === "" || r.search.includes(path)));
    clusters = [];
    for (const [i, c] of gate.clusters.entries()) {
      if (name === "" || c.toLowerCase().includes(name)) clusters.push(i);
    }
    at = { row: Math.min(at.row, Math.max(rows.length - 1, 0)), column: Math.min(at.column, Math.max(clusters.length - 1, 0)) };
    $("count").textContent = `${rows.length} of ${gate.rows.length} paths, ${clusters.length} of ${gate.clusters.length} clusters` +
      (gate.more ? `, at least ${gate.more} more paths are not in here` : "");
    hover = null;
    draw();
    tell();
  }

  function put(kind, text, left, top, width, into) {
    const e = document.createElement("div");
    e.className = kind;
    e.style.left = left + "px";
    e.style.top = top + "px";
    e.style.width = width + "px";
    if (kind.startsWith("path")) {
      const b = document.createElement("bdi");
      b.textContent = text;
      e.append(b);
    } else e.textContent = text;
    into.append(e);
    return e;
  }

  function draw() {
    const w = widths();
    sheet.style.width = w.path + clusters.length * w.cell + "px";
    sheet.style.height = (rows.length + 1) * rowHeight + "px";
    const top = view.scrollTop, left = view.scrollLeft;
    const firstRow = Math.max(Math.floor(top / rowHeight) - 2, 0);
    const lastRow = Math.min(firstRow + Math.ceil(view.clientHeight / rowHeight) + 4, rows.length);
    const firstColumn = Math.max(Math.floor(left / w.cell) - 1, 0);
    const lastColumn = Math.min(firstColumn + Math.ceil(view.clientWidth / w.cell) + 2, clusters.length);
    const next = document.createDocumentFragment();
    for (let i = firstRow; i < lastRow; i++) {
      const row = rows[i], y = (i + 1) * rowHeight;
      for (let j = firstColumn; j < lastColumn; j++) {
        const value = valueOf(row, clusters[j]);
        let kind = "cell";
        if (value === null) kind += " unset";
        if (!row.usual[row.of[clusters[j]]]) kind += row.broken ? " odd" : " other";
        if (i === at.row && j === at.column) kind += " now";
        const e = put(kind, value === null ? "–" : value, w.path + j * w.cell, y, w.cell, next);
        e.dataset.row = i;
        e.dataset.column = j;
      }
      put(row.broken ? "path bad" : "path", row.path, left, y, w.path, next).title = row.path;
    }
    for (let j = firstColumn; j < lastColumn; j++) {
      const name = gate.clusters[clusters[j]];
      put("head", name, w.path + j * w.cell, top, w.cell, next).title = name;
    }
    put("corner", rows.length ? "path" : "nothing to show", left, top, w.path, next);
    sheet.replaceChildren(next);
  }

  // tell shows where the value under the pointer, or the chosen one, is from.
  function tell() {
    const p = hover || at, row = rows[p.row];
    about.replaceChildren();
    if (!row || clusters.length === 0) return;
    const cluster = clusters[p.column], chain = chainOf(row, cluster);
    const h = document.createElement("h2");
    h.textContent = `${row.path} in ${gate.clusters[cluster]}: ${valueOf(row, cluster) ?? "not set"}`;
    const note = document.createElement("p");
    note.textContent = row.note;
    if (row.broken) note.className = "bad";
    about.append(h, note);
    if (chain === null) {
      about.append("no layer sets it");
      return;
    }
    const table = document.createElement("table");
    for (const s of chain.steps) {
      const tr = table.insertRow();
      const n = 3 * row.nth[cluster], [file, line, column] = s.places.slice(n, n + 3);
      const place = data.files[file] + (line ? `:${line}` + (column ? `:${column}` : "") : "");
      tr.className = s.outcome;
      for (const text of [s.layer, s.above ? `${s.above}: ${s.value}` : s.value, s.outcome, place]) tr.insertCell().textContent = text;
    }
    about.append(table);
  }

  function move(rowsBy, columnsBy) {
    at.row = Math.min(Math.max(at.row + rowsBy, 0), Math.max(rows.length - 1, 0));
    at.column = Math.min(Math.max(at.column + columnsBy, 0), Math.max(clusters.length - 1, 0));
    hover = null;
    const w = widths();
    const y = (at.row + 1) * rowHeight, x = at.column * w.cell;
    if (y < view.scrollTop + rowHeight) view.scrollTop = y - rowHeight;
    if (y + rowHeight > view.scrollTop + view.clientHeight) view.scrollTop = y + rowHeight - view.clientHeight;
    if (x < view.scrollLeft) view.scrollLeft = x;
    if (x + w.cell > view.scrollLeft + view.clientWidth - w.path) view.scrollLeft = x + w.cell - view.clientWidth + w.path;
    draw();
    tell();
  }

  view.addEventListener("keydown", (e) => {
    const page = Math.max(Math.floor(view.clientHeight / rowHeight) - 2, 1);
    const by = {
      ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1],
      PageDown: [page, 0], PageUp: [-page, 0], Home: [0, -1e9], End: [0, 1e9],
    }[e.key];
    if (!by || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    move(by[0], by[1]);
  });
  const spot = (e) => {
    const cell = e.target.closest(".cell");
    return cell && { row: Number(cell.dataset.row), column: Number(cell.dataset.column) };
  };
  view.addEventListener("mousemove", (e) => {
    const p = spot(e);
    if (p && (!hover || hover.row !== p.row || hover.column !== p.column)) {
      hover = p;
      tell();
    }
  });
  view.addEventListener("mouseleave", () => { hover = null; tell(); });
  view.addEventListener("click", (e) => {
    const p = spot(e);
    if (p) { at = p; hover = null; draw(); tell(); }
  });
  let asked = false;
  const later = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  };
  view.addEventListener("scroll", later);
  window.addEventListener("resize", later);
  for (const id of ["path", "cluster", "bad", "gate"]) $(id).addEventListener("input", choose);
  // #path is the search that a link asks for.
  try { $("path").value = decodeURIComponent(location.hash.slice(1)); } catch { /* not one of ours */ }

  for (const g of data.gates) {
    for (const r of g.rows) {
      r.of = new Int32Array(g.clusters.length).fill(-1);
      r.nth = new Int32Array(g.clusters.length);
      for (const [i, c] of r.chains.entries()) {
        for (const [n, cluster] of c.clusters.entries()) { r.of[cluster] = i; r.nth[cluster] = n; }
      }
      // The largest group is what the others are held against; of a tie, none.
      // What is not shown whole is told apart by its chain alone.
      const group = (c, i) => c.missing ? "-" : /<redacted>|…/.test(c.value) ? "#" + i : "=" + c.value;
      const sizes = new Map([["-", r.of.reduce((n, c) => n + (c < 0), 0)]]);
      for (const [i, c] of r.chains.entries()) sizes.set(group(c, i), (sizes.get(group(c, i)) || 0) + c.clusters.length);
      const ordered = [...sizes].sort((a, b) => b[1] - a[1]);
      const most = ordered.length > 1 && ordered[0][1] === ordered[1][1] ? null : ordered[0][0];
      r.usual = r.chains.map((c, i) => group(c, i) === most);
      r.usual[-1] = most === "-";
      r.search = (r.path + "\n" + r.chains.map((c) => c.value ?? "").join("\n")).toLowerCase();
    }
  }
  choose();
})();
