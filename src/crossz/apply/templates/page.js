"use strict";
(() => {
// Every text of a user goes into the page as text (textContent), never as HTML.
const $ = (id) => document.getElementById(id);
const make = (tag, text, name) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
};
const bytes = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

const data = JSON.parse($("data").textContent);
const columns = data.columns, count = data.rows.length, images = data.images;
const role = {};
columns.forEach((column) => { if (column.role) role[column.role] = column; });
const LINE = 30, BLUE = "#0072b2", ORANGE = "#d55e00", GREY = "#9aa5b1";
const collator = new Intl.Collator(undefined, { numeric: true });
const pdf = data.pdf && { ...data.pdf, values: bytes(data.pdf.values) };
let order = [], sorted = null, descending = false, opened = -1;

const textOf = (column, row) => {
  const value = column.values[row];
  if (value === null) return "";
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
};
const numberOf = (name, row) => {
  const value = role[name] ? role[name].values[row] : null;
  return value === null || value === "" ? NaN : Number(value);
};
const words = (name, row) => (role[name] ? textOf(role[name], row) : "");
const isOk = (row) => !role.status || role.status.values[row] === "ok";

// ---- filters and order -------------------------------------------------------------------------
let lower = null; // the text of each row for the search, made when it is first needed

function condition(column) {
  const text = column.filter.trim();
  if (!text) return null;
  const value = (row) => column.values[row];
  if (column.kind === "number") {
    const range = text.match(/^(-?[\d.]+(?:e[+-]?\d+)?)\s*\.\.\s*(-?[\d.]+(?:e[+-]?\d+)?)$/i);
    if (range) return (row) => value(row) !== null && value(row) >= +range[1] && value(row) <= +range[2];
    const side = text.match(/^(<=|>=|<|>|=)\s*(-?[\d.]+(?:e[+-]?\d+)?)$/i);
    if (side) {
      const end = +side[2];
      const test = { "<": (x) => x < end, ">": (x) => x > end, "<=": (x) => x <= end, ">=": (x) => x >= end, "=": (x) => x === end }[side[1]];
      return (row) => value(row) !== null && test(value(row));
    }
  }
  if (text.startsWith("=")) return (row) => textOf(column, row) === text.slice(1);
  const part = text.toLowerCase();
  return (row) => textOf(column, row).toLowerCase().includes(part);
}

function compare(column) {
  const sign = descending ? -1 : 1, values = column.values;
  const empty = (value) => value === null || value === "";
  return (a, b) => {
    const x = values[a], y = values[b];
    if (empty(x) || empty(y)) return empty(x) - empty(y) || a - b;
    return sign * (typeof x === "string" ? collator.compare(x, y) : x - y) || a - b;
  };
}

function update() {
  const query = $("search").value.trim().toLowerCase();
  if (query && !lower)
    lower = data.rows.map((_, row) => columns.map((column) => textOf(column, row)).join("\n").toLowerCase());
  const tests = columns.map(condition).filter(Boolean);
  order = [];
  for (let row = 0; row < count; row++)
    if ((!query || lower[row].includes(query)) && tests.every((test) => test(row))) order.push(row);
  if (sorted) order.sort(compare(sorted));
  const all = order.length === count;
  $("found").textContent = all ? `${count.toLocaleString("en")} rows` : `${order.length.toLocaleString("en")} of ${count.toLocaleString("en")} rows`;
  document.querySelectorAll("#chips button").forEach((chip) =>
    chip.setAttribute("aria-pressed", columns[chip.dataset.column].filter === chip.dataset.filter));
  $("box").scrollTop = 0;
  drawRows();
  drawGallery();
  drawMap();
  drawRedshifts();
}

// ---- table: only the rows in sight are there ---------------------------------------------------
const shown = () => columns.filter((column) => column.shown);
const imageOf = (row) => {
  const image = make("img");
  image.src = `data:image/jpeg;base64,${images[row]}`;
  image.alt = "";
  return image;
};

function drawHead() {
  $("names").replaceChildren(make("th", "row"));
  $("filters").replaceChildren(make("th"));
  $("widths").replaceChildren(make("col"));
  const widths = [images ? 104 : 64];
  for (const column of shown()) {
    const head = make("th", column.name, column.kind === "number" ? "number" : "");
    head.title = [column.name, column.unit && `(${column.unit})`, column.about].filter(Boolean).join(" ");
    if (column.unit) { head.classList.add("unit"); head.dataset.unit = column.unit; }
    if (column === sorted) {
      head.prepend(descending ? "▼ " : "▲ ");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    }
    head.tabIndex = 0;
    head.onclick = () => sort(column);
    head.onkeydown = (event) => { if (event.key === "Enter") sort(column); };
    $("names").append(head);
    const cell = make("th"), input = make("input");
    input.value = column.filter;
    input.setAttribute("aria-label", `Filter ${column.name}`);
    input.oninput = () => { column.filter = input.value; update(); };
    cell.append(input);
    $("filters").append(cell);
    $("widths").append(make("col"));
    widths.push(column.width * 8.4 + 20);
  }
  [...$("widths").children].forEach((col, number) => { col.style.width = `${widths[number]}px`; });
  $("table").style.width = `${widths.reduce((a, b) => a + b, 0)}px`;
}

function sort(column) {
  if (sorted !== column) { sorted = column; descending = false; }
  else if (!descending) descending = true;
  else { sorted = null; descending = false; }
  drawHead();
  update();
}

function gap(lines) {
  const row = make("tr", undefined, "gap"), cell = make("td");
  cell.colSpan = shown().length + 1;
  cell.style.height = `${lines * LINE}px`;
  row.append(cell);
  return row;
}

function drawRows() {
  const box = $("box"), some = shown();
  const first = Math.max(0, Math.floor(box.scrollTop / LINE) - 6);
  const last = Math.min(order.length, first + Math.ceil(box.clientHeight / LINE) + 12);
  const lines = first ? [gap(first)] : [];
  for (let place = first; place < last; place++) {
    const row = order[place], line = make("tr", undefined, "row"), number = make("td", String(data.rows[row]));
    if (images && images[row]) number.prepend(imageOf(row));
    number.title = `row ${data.rows[row]}`;
    line.append(number);
    for (const column of some) {
      const text = textOf(column, row), cell = make("td", text, column.kind === "number" ? "number" : "");
      if (!column.ours) cell.classList.add("theirs");
      if ((column.kind === "warning" && column.values[row]) || (column === role.status && !isOk(row))) cell.classList.add("bad");
      cell.title = text;
      line.append(cell);
    }
    line.tabIndex = 0;
    line.dataset.row = row;
    line.onclick = () => open(row);
    line.onkeydown = (event) => { if (event.key === "Enter") open(row); };
    lines.push(line);
  }
  if (last < order.length) lines.push(gap(order.length - last));
  $("body").replaceChildren(...lines);
}

// ---- gallery -----------------------------------------------------------------------------------
let pictured = 0;

function drawGallery(more) {
  const gallery = $("gallery");
  if (gallery.hidden) return;
  if (!more) { pictured = 0; gallery.replaceChildren(); }
  gallery.querySelector(".more")?.remove();
  const rows = order.filter((row) => images[row]);
  for (const row of rows.slice(pictured, pictured + 120)) {
    const card = make("button");
    card.append(imageOf(row), make("span", isOk(row) ? answer(row) : words("status", row)));
    card.onclick = () => open(row);
    gallery.append(card);
  }
  pictured = Math.min(rows.length, pictured + 120);
  if (!rows.length) gallery.append(make("p", "None of these rows has an image here.", "note"));
  if (pictured < rows.length) {
    const button = make("button", `${rows.length - pictured} more`, "more");
    button.onclick = () => drawGallery(true);
    gallery.append(button);
  }
}

const redshift = (row) => role.z_phot && isOk(row) ? `z = ${numberOf("z_phot", row).toFixed(3)}` : "";
const answer = (row) => [role.class_phot ? words("class_phot", row) : "", redshift(row)].filter(Boolean).join(", ");

// ---- drawings ----------------------------------------------------------------------------------
function canvas(element) {
  const ratio = window.devicePixelRatio || 1, width = element.clientWidth, height = element.clientHeight;
  element.width = Math.round(width * ratio);
  element.height = Math.round(height * ratio);
  const pen = element.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  pen.fillStyle = "#5b6875";
  return { pen, width, height };
}

function step(range, most) {
  const rough = range / most, power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) || 10);
}

const digits = (size) => Math.max(0, -Math.floor(Math.log10(size) + 1e-9));

function axis(pen, plot, low, high, y, label) {
  // The axis of z below a plot.
  const at = (z) => plot.left + ((z - low) / (high - low)) * (plot.right - plot.left);
  const every = step(high - low, Math.max(3, (plot.right - plot.left) / 80));
  pen.strokeStyle = GREY;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(plot.left, y + 0.5);
  pen.lineTo(plot.right, y + 0.5);
  pen.stroke();
  pen.textAlign = "center";
  for (let tick = Math.ceil(low / every - 1e-9); tick * every <= high + 1e-9; tick++) {
    pen.fillRect(at(tick * every), y, 1, 5);
    pen.fillText((tick * every).toFixed(digits(every)), at(tick * every), y + 18);
  }
  pen.fillText(label, (plot.left + plot.right) / 2, y + 34);
  return at;
}

// ---- sky map: a sinusoidal projection about the middle of the targets, zoomed to them ----------
let sky = null, spots = [];

function prepareSky() {
  if (!role.ra || !role.dec) return;
  const places = [];
  let east = 0, north = 0;
  for (let row = 0; row < count; row++) {
    const ra = numberOf("ra", row), dec = numberOf("dec", row);
    if (!(ra >= -360 && ra <= 360 && dec >= -90 && dec <= 90)) continue;
    places.push([row, ra, dec]);
    east += Math.sin(ra * Math.PI / 180);
    north += Math.cos(ra * Math.PI / 180);
  }
  if (!places.length) return;
  const middle = Math.atan2(east, north) * 180 / Math.PI;
  const project = (ra, dec) => [(((ra - middle + 540) % 360 + 360) % 360 - 180) * Math.cos(dec * Math.PI / 180), dec];
  const x = [], y = [], row = [];
  for (const [number, ra, dec] of places) {
    const place = project(ra, dec);
    row.push(number);
    x.push(place[0]);
    y.push(place[1]);
  }
  sky = { middle, row, x, y };
  $("sky").hidden = false;
}

function drawMap() {
  if (!sky) return;
  const { pen, width, height } = canvas($("map"));
  const plot = { left: 46, right: width - 8, top: 8, bottom: height - 40 };
  const ends = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const [west, east] = ends(sky.x), [south, north] = ends(sky.y);
  const size = Math.max((east - west) * 1.12 / (plot.right - plot.left), (north - south) * 1.12 / (plot.bottom - plot.top), 0.05 / (plot.bottom - plot.top));
  const atX = (x) => (plot.left + plot.right) / 2 - (x - (east + west) / 2) / size;
  const atY = (y) => (plot.top + plot.bottom) / 2 - (y - (north + south) / 2) / size;
  const high = Math.min(90, (north + south) / 2 + size * (plot.bottom - plot.top) / 2);
  const low = Math.max(-90, (north + south) / 2 - size * (plot.bottom - plot.top) / 2);
  const cosine = Math.max(Math.cos((north + south) / 2 * Math.PI / 180), 0.02);
  const halfWidth = Math.min(180, size * (plot.right - plot.left) / 2 / cosine);
  const everyDec = step(high - low, 4), everyRa = Math.min(60, step(2 * halfWidth, Math.max(2, (plot.right - plot.left) / 110)));
  const ground = high - low > 60 ? 0 : low; // where meridians are labelled
  pen.save();
  pen.beginPath();
  pen.rect(plot.left, plot.top, plot.right - plot.left, plot.bottom - plot.top);
  pen.clip();
  pen.strokeStyle = "#dfe4ea";
  pen.lineWidth = 1;
  const centre = (east + west) / 2 / cosine, meridians = [];
  const begin = Math.max(centre - halfWidth, -180), end = Math.min(centre + halfWidth, 180);
  for (let tick = Math.ceil((sky.middle + begin) / everyRa - 1e-9); tick * everyRa <= sky.middle + end + 1e-9; tick++) {
    const ra = tick * everyRa, off = ra - sky.middle;
    pen.beginPath();
    for (let part = 0; part <= 40; part++) {
      const dec = low + (high - low) * part / 40;
      pen.lineTo(atX(off * Math.cos(dec * Math.PI / 180)), atY(dec));
    }
    pen.stroke();
    meridians.push([((ra % 360) + 360) % 360, atX(off * Math.cos(ground * Math.PI / 180))]);
  }
  for (let tick = Math.ceil(low / everyDec - 1e-9); tick * everyDec <= high + 1e-9; tick++) {
    const y = atY(tick * everyDec);
    pen.beginPath();
    pen.moveTo(plot.left, y);
    pen.lineTo(plot.right, y);
    pen.stroke();
  }
  const chosen = new Set(order), radius = sky.x.length > 2000 ? 1.6 : sky.x.length > 200 ? 2.4 : 3.4;
  spots = [];
  for (const inside of [false, true])
    for (let i = 0; i < sky.x.length; i++) {
      const row = sky.row[i];
      if (chosen.has(row) !== inside) continue;
      const x = atX(sky.x[i]), y = atY(sky.y[i]);
      pen.fillStyle = !inside ? "#d5dbe1" : isOk(row) ? "#0072b2aa" : "#d55e00";
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      pen.fill();
      spots.push([row, x, y]);
      if (row === opened) { pen.strokeStyle = "#000"; pen.lineWidth = 2; pen.beginPath(); pen.arc(x, y, 8, 0, 7); pen.stroke(); }
    }
  pen.restore();
  pen.fillStyle = "#5b6875";
  pen.textAlign = "right";
  for (let tick = Math.ceil(low / everyDec - 1e-9); tick * everyDec <= high + 1e-9; tick++)
    pen.fillText(`${(tick * everyDec).toFixed(digits(everyDec))}°`, plot.left - 5, atY(tick * everyDec) + 4);
  pen.textAlign = "center";
  let free = Infinity;
  for (const [ra, x] of meridians)
    if (x > plot.left + 14 && x < plot.right - 14 && x < free) {
      pen.fillText(`${ra.toFixed(digits(everyRa))}°`, x, plot.bottom + 15);
      free = x - 44;
    }
  pen.fillText("right ascension; declination upwards", (plot.left + plot.right) / 2, plot.bottom + 33);
}

// ---- n(z) --------------------------------------------------------------------------------------
let range = null;

function prepareRedshifts() {
  if (!role.z_phot) return;
  let low = Infinity, high = -Infinity;
  for (let row = 0; row < count; row++) {
    const z = numberOf("z_phot", row);
    if (isOk(row) && isFinite(z)) { low = Math.min(low, z); high = Math.max(high, z); }
  }
  if (high < low) return;
  range = { low: Math.max(0, low - 0.1), high: high + 0.1 };
  if (pdf) $("nz-caption").textContent = "Distribution of redshift of the rows below: bars count z_phot, the line is the sum of the PDFs.";
  $("redshifts").hidden = false;
}

function histogram(rows, bins) {
  const counts = new Float64Array(bins);
  for (const row of rows) {
    const z = numberOf("z_phot", row);
    if (isOk(row) && isFinite(z)) counts[Math.min(bins - 1, Math.floor((z - range.low) / (range.high - range.low) * bins))]++;
  }
  return counts;
}

function sumOfPdfs(rows) {
  const points = pdf.points, total = new Float64Array(points);
  for (const row of rows) {
    const start = row * points;
    let sum = 0;
    for (let i = 0; i < points; i++) sum += pdf.values[start + i];
    if (sum) for (let i = 0; i < points; i++) total[i] += pdf.values[start + i] / (sum * pdf.step);
  }
  return total;
}

function curve(pen, at, y, values, from = 0) {
  pen.beginPath();
  for (let i = 0; i < pdf.points; i++) {
    const z = pdf.low + i * pdf.step;
    pen.lineTo(at(z), y(values[from + i]));
  }
}

function drawRedshifts() {
  if (!range) return;
  const { pen, width, height } = canvas($("nz"));
  const plot = { left: 52, right: width - 10, top: 10, bottom: height - 42 };
  const bins = Math.max(8, Math.min(40, Math.ceil(2 * count ** 0.4))), size = (range.high - range.low) / bins;
  const counts = histogram(order, bins), total = pdf && sumOfPdfs(order).map((value) => value * size);
  const inside = total ? total.filter((_, i) => pdf.low + i * pdf.step >= range.low && pdf.low + i * pdf.step <= range.high) : [];
  const most = Math.max(1, ...counts, ...inside) * 1.06;
  const y = (value) => plot.bottom - value / most * (plot.bottom - plot.top);
  const at = axis(pen, plot, range.low, range.high, plot.bottom, "redshift");
  const every = Math.max(1, step(most, 5));
  pen.textAlign = "right";
  for (let tick = 0; tick <= most; tick += every) pen.fillText(tick.toLocaleString("en"), plot.left - 6, y(tick) + 4);
  pen.fillStyle = "#0072b255";
  counts.forEach((value, i) => pen.fillRect(at(range.low + i * size) + 0.5, y(value), (plot.right - plot.left) / bins - 1, plot.bottom - y(value)));
  if (!total) return;
  pen.save();
  pen.beginPath();
  pen.rect(plot.left, 0, plot.right - plot.left, plot.bottom);
  pen.clip();
  curve(pen, at, y, total);
  pen.strokeStyle = ORANGE;
  pen.lineWidth = 2;
  pen.stroke();
  pen.restore();
}

// ---- one row -----------------------------------------------------------------------------------
function peaksOf(row) {
  const found = [];
  for (let k = 1; role[`z_peak_${k}`]; k++) {
    const z = numberOf(`z_peak_${k}`, row), p = numberOf(`p_peak_${k}`, row);
    if (isFinite(z) && p > 0.005) found.push([z, p]);
  }
  return found;
}

function drawPdf(element, row) {
  const { pen, width, height } = canvas(element);
  const plot = { left: 10, right: width - 10, top: 30, bottom: height - 42 }, start = row * pdf.points;
  let first = pdf.points, last = 0;
  for (let i = 0; i < pdf.points; i++)
    if (pdf.values[start + i] > 1) { first = Math.min(first, i); last = i; }
  const low = Math.max(0, pdf.low + (first - 6) * pdf.step), high = pdf.low + (last + 6) * pdf.step;
  const at = axis(pen, plot, low, high, plot.bottom, "redshift"), y = (value) => plot.bottom - value / 255 * (plot.bottom - plot.top);
  const ends = [numberOf("z_low_68", row), numberOf("z_high_68", row)];
  pen.fillStyle = "#0072b222";
  if (ends.every(isFinite)) pen.fillRect(at(ends[0]), plot.top, at(ends[1]) - at(ends[0]), plot.bottom - plot.top);
  pen.save();
  pen.beginPath();
  pen.rect(plot.left, 0, plot.right - plot.left, plot.bottom);
  pen.clip();
  curve(pen, at, y, pdf.values, start);
  pen.strokeStyle = BLUE;
  pen.lineWidth = 2;
  pen.stroke();
  pen.restore();
  pen.setLineDash([5, 4]);
  pen.strokeStyle = ORANGE;
  pen.beginPath();
  pen.moveTo(at(numberOf("z_phot", row)), plot.top);
  pen.lineTo(at(numberOf("z_phot", row)), plot.bottom);
  pen.stroke();
  pen.setLineDash([]);
  pen.fillStyle = "#1d2733";
  let free = -Infinity;
  for (const [z, p] of peaksOf(row).sort((a, b) => a[0] - b[0])) {
    const text = `${z.toFixed(2)} (${Math.round(100 * p)} %)`, wide = pen.measureText(text).width;
    const x = Math.min(Math.max(at(z), plot.left + wide / 2), plot.right - wide / 2);
    if (x - wide / 2 < free) continue;
    free = x + wide / 2 + 6;
    pen.textAlign = "center";
    pen.fillText(text, x, 14);
    pen.fillRect(at(z) - 0.5, 18, 1, 8);
  }
}

function link(text, address) {
  const element = make("a", text, "button");
  element.href = address;
  element.target = "_blank";
  element.rel = "noopener noreferrer";
  return element;
}

function linksOf(row) {
  const links = make("div", undefined, "links"), id = words("objID", row);
  const ra = numberOf("ra", row), dec = numberOf("dec", row), placed = isFinite(ra) && isFinite(dec);
  const explore = "https://skyserver.sdss.org/dr17/VisualTools/explore/summary";
  if (/^\d{15,19}$/.test(id)) links.append(link("SkyServer", `${explore}?id=${id}`));
  else if (placed) links.append(link("SkyServer", `${explore}?ra=${ra}&dec=${dec}`));
  if (!placed) return links;
  const place = encodeURIComponent(`${ra} ${dec >= 0 ? "+" : ""}${dec}`);
  links.append(link("Aladin Lite", `https://aladin.cds.unistra.fr/AladinLite/?target=${place}&fov=0.05&survey=CDS%2FP%2FSDSS9%2Fcolor`));
  links.append(link("SIMBAD", `https://simbad.cds.unistra.fr/simbad/sim-coo?Coord=${place}&CooFrame=ICRS&Radius=5&Radius.unit=arcsec`));
  const point = make("button", "Point TOPCAT, Aladin");
  point.title = "Send the position to programs on this computer (SAMP)";
  point.onclick = () => send(point, "coord.pointAt.sky", { ra: String(ra), dec: String(dec) });
  links.append(point);
  return links;
}

function flagsOf(row) {
  const flags = columns.filter((column) => column.kind === "warning" && column.values[row]).map((column) => `${column.name}: ${column.about}`);
  if (words("missing", row) && isOk(row)) flags.push(`missing: no photometry in ${words("missing", row)}`);
  if (!isOk(row)) flags.unshift(`${words("status", row)}${words("why", row) ? `: ${words("why", row)}` : ": no estimate"}`);
  return flags;
}

function open(row) {
  opened = row;
  const body = $("card-body"), pictures = make("div", undefined, "pictures");
  const name = columns.find((column) => !column.ours && column.kind === "text" && column.role !== "objID");
  $("card-title").textContent = [`Row ${data.rows[row]}`, name && textOf(name, row), words("objID", row)].filter(Boolean).join(" · ");
  body.replaceChildren(pictures);
  if (images && images[row]) {
    const image = imageOf(row);
    image.alt = "Cutout; red, green and blue are the bands i, r and g";
    image.title = image.alt;
    pictures.append(image);
  }
  const plot = make("canvas");
  const has = pdf && isOk(row) && pdf.values.subarray(row * pdf.points, (row + 1) * pdf.points).some(Boolean);
  if (has) pictures.append(plot);
  if (isOk(row)) {
    let text = answer(row);
    for (const share of [68, 95]) {
      const ends = [numberOf(`z_low_${share}`, row), numberOf(`z_high_${share}`, row)];
      if (ends.every(isFinite)) text += `; ${share} %: ${ends[0].toFixed(3)} to ${ends[1].toFixed(3)}`;
    }
    if (words("inputs", row)) text += `; from ${words("inputs", row)}`;
    body.append(make("p", text, "answer"));
  }
  const flags = flagsOf(row);
  if (flags.length) {
    const list = make("ul", undefined, "flags");
    flags.forEach((flag) => list.append(make("li", flag)));
    body.append(list);
  }
  body.append(linksOf(row));
  const values = make("dl", undefined, "values");
  for (const column of columns) {
    const text = textOf(column, row);
    if (!text) continue;
    const pair = make("div");
    pair.title = column.about || "";
    pair.append(make("dt", column.name), make("dd", column.unit ? `${text} ${column.unit}` : text));
    values.append(pair);
  }
  body.append(values);
  if (!$("card").open) $("card").showModal();
  $("card").scrollTop = 0;
  if (has) drawPdf(plot, row);
  drawMap();
}

function turn(by) {
  const place = order.indexOf(opened) + by;
  if (place >= 0 && place < order.length) open(order[place]);
}

// ---- download, SAMP ----------------------------------------------------------------------------
function download() {
  const cell = (text) => {
    if (/^([=+@\t\r]|-$|-[^0-9.])/.test(text)) text = `'${text}`; // a spreadsheet would take it for a formula
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.map((column) => cell(column.name)).join(",")];
  for (const row of order)
    lines.push(columns.map((column) => (column.kind === "number" ? textOf(column, row) : cell(textOf(column, row)))).join(","));
  const anchor = make("a");
  anchor.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  anchor.download = `${data.title}-rows.csv`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}

// The web profile of SAMP (IVOA SAMP 1.3, section 5): XML-RPC to a hub on this computer, which asks its user first.
let key = null;
const xml = (value) => typeof value === "string"
  ? `<value><string>${value.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</string></value>`
  : `<value><struct>${Object.entries(value).map(([name, entry]) => `<member><name>${name}</name>${xml(entry)}</member>`).join("")}</struct></value>`;
async function hub(method, ...parameters) {
  const body = `<?xml version="1.0"?><methodCall><methodName>samp.webhub.${method}</methodName><params>${parameters.map((value) => `<param>${xml(value)}</param>`).join("")}</params></methodCall>`;
  const reply = await fetch("http://localhost:21012/", { method: "POST", headers: { "Content-Type": "text/xml" }, body });
  const content = new DOMParser().parseFromString(await reply.text(), "text/xml");
  if (content.querySelector("fault")) throw new Error("refused");
  return content;
}
async function send(button, mtype, parameters) {
  const label = button.dataset.label ||= button.textContent;
  try {
    if (!key) {
      const members = [...(await hub("register", { "samp.name": "crossz" })).querySelectorAll("member")];
      key = members.find((member) => member.querySelector("name").textContent === "samp.private-key").querySelector("value").textContent;
      addEventListener("pagehide", () => hub("unregister", key).catch(() => {}));
    }
    await hub("notifyAll", key, { "samp.mtype": mtype, "samp.params": parameters });
    button.textContent = "Sent";
  } catch {
    key = null;
    button.textContent = "No program answers (start TOPCAT)";
  }
  setTimeout(() => { button.textContent = label; }, 4000);
}

// ---- begin -------------------------------------------------------------------------------------
function drawChips() {
  const add = (column, filter, text, number) => {
    const chip = make("button", `${text} ${number.toLocaleString("en")}`);
    chip.type = "button";
    chip.dataset.column = columns.indexOf(column);
    chip.dataset.filter = filter;
    chip.title = column.about;
    chip.onclick = () => {
      column.filter = column.filter === filter ? "" : filter;
      drawHead();
      update();
    };
    $("chips").append(chip);
  };
  const values = new Map();
  for (const column of [role.status, role.class_phot].filter(Boolean)) {
    values.clear();
    column.values.forEach((value) => { if (value) values.set(value, (values.get(value) || 0) + 1); });
    for (const [value, number] of [...values].sort((a, b) => b[1] - a[1]).slice(0, 8)) add(column, `=${value}`, value, number);
  }
  for (const column of columns.filter((one) => one.ours && ["flag", "warning"].includes(one.kind))) {
    const number = column.values.filter(Boolean).length;
    if (number) add(column, "yes", column.name, number);
  }
}

function drawChoices() {
  for (const column of columns) {
    const label = make("label"), box = make("input");
    box.type = "checkbox";
    box.checked = column.shown;
    box.onchange = () => { column.shown = box.checked; drawHead(); drawRows(); };
    label.append(box, ` ${column.name}`);
    label.title = column.about;
    $("choices").append(label);
  }
}

columns.forEach((column) => {
  column.filter = "";
  column.shown = true;
  let longest = column.name.length + (column.unit ? column.unit.length + 3 : 0) + 1;
  for (let row = 0; row < count; row++) longest = Math.max(longest, textOf(column, row).length);
  column.width = Math.min(26, Math.max(6, longest));
});
prepareSky();
prepareRedshifts();
drawHead();
drawChips();
drawChoices();
update();
$("search").oninput = update;
let waiting = false;
$("box").onscroll = () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; drawRows(); });
};
$("map").onclick = (event) => {
  const near = spots.map(([row, x, y]) => [Math.hypot(x - event.offsetX, y - event.offsetY), row]).reduce((a, b) => (b[0] < a[0] ? b : a), [12, -1]);
  if (near[1] >= 0) open(near[1]);
};
$("close").onclick = () => $("card").close();
$("card").onclick = (event) => { if (event.target === $("card")) $("card").close(); };
$("card").onkeydown = (event) => { if (event.key === "ArrowLeft") turn(-1); if (event.key === "ArrowRight") turn(1); };
$("card").onclose = () => { opened = -1; drawMap(); };
$("previous").onclick = () => turn(-1);
$("next").onclick = () => turn(1);
$("download").onclick = download;
if (images) {
  $("gallery-button").hidden = false;
  $("gallery-button").onclick = () => {
    const open = $("gallery").hidden;
    $("gallery").hidden = !open;
    $("box").hidden = open;
    $("gallery-button").setAttribute("aria-pressed", open);
    if (open) drawGallery(); else drawRows();
  };
}
const kind = { fits: "table.load.fits", vot: "table.load.votable" }[data.file.split(".").pop()];
if (kind) {
  $("send").hidden = false;
  $("send").onclick = () => send($("send"), kind, { url: new URL(encodeURIComponent(data.file), location.href).href, name: data.title, "table-id": data.title });
}
new ResizeObserver(() => { drawMap(); drawRedshifts(); drawRows(); }).observe(document.body);
})();
