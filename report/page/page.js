// The timeline of one job, drawn from the data that the page carries. Nothing is
// requested. All text of processes is foreign: it reaches the page as
// textContent and fillText only.
(async () => {
  'use strict';
  const $ = (id) => document.getElementById(id);
  const NONE = -1;
  // The flags of timeline.Flags.
  const FAILED = 1, EXPECTED = 2, START_EST = 4, END_EST = 8, ARGS_CUT = 16, OOM = 32, WAITED = 64, WORKED = 128, DELAY = 512;

  // ---- data ----

  async function inflate(base64) {
    const text = atob(base64.replace(/\s+/g, ''));
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // decode reads the encoded form of timeline.Model (timeline/encode.go), and the
  // critical path behind it.
  function decode(bytes) {
    let at = 0;
    const number = () => {
      let v = 0, scale = 1;
      for (;;) {
        const b = bytes[at++];
        if (b === undefined) throw new Error('the data end too soon');
        v += (b & 127) * scale;
        if (b < 128) return v;
        scale *= 128;
      }
    };
    // Zigzag by arithmetic: the numbers go beyond 32 bits, and stay below 2^53.
    const signed = () => { const v = number(); return v % 2 ? -(v + 1) / 2 : v / 2; };
    const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    const magic = 'procspan timeline 1\n';
    if (utf8.decode(bytes.subarray(0, magic.length)) !== magic) throw new Error('the data are not those of a timeline');
    at = magic.length;
    let size = number();
    const head = JSON.parse(utf8.decode(bytes.subarray(at, at + size)));
    at += size;
    // Where each text begins, and its size; most are never shown.
    const count = number(), begins = new Uint32Array(count), sizes = new Uint32Array(count);
    for (let i = 1; i < count; i++) { sizes[i] = number(); begins[i] = at; at += sizes[i]; }
    const cache = new Map([[0, '']]);
    const n = head.processes;
    const m = {
      n, head, root: head.root, elapsed: head.elapsed_ns,
      parent: new Int32Array(n), pid: new Uint32Array(n),
      start: new Float64Array(n), end: new Float64Array(n), forked: new Float64Array(n),
      program: new Uint32Array(n), executable: new Uint32Array(n), directory: new Uint32Array(n), container: new Uint32Array(n),
      status: new Uint32Array(n), flags: new Uint16Array(n),
      user: new Float64Array(n), system: new Float64Array(n), delay: new Float64Array(n), rss: new Float64Array(n),
      argAt: new Uint32Array(n + 1),
    };
    m.text = (t) => {
      let s = cache.get(t);
      if (s === undefined) {
        s = utf8.decode(bytes.subarray(begins[t], begins[t] + sizes[t]));
        cache.set(t, s);
      }
      return s;
    };
    for (let i = 0; i < n; i++) m.parent[i] = i - number();
    for (let i = 0; i < n; i++) m.pid[i] = number();
    for (let i = 0, last = 0; i < n; i++) m.start[i] = last += signed();
    for (let i = 0; i < n; i++) m.end[i] = m.start[i] + signed();
    for (let i = 0; i < n; i++) m.forked[i] = m.start[i] + signed();
    for (const col of [m.program, m.executable, m.directory, m.container, m.status, m.flags]) for (let i = 0; i < n; i++) col[i] = number();
    for (const col of [m.user, m.system, m.delay]) for (let i = 0; i < n; i++) col[i] = signed();
    for (let i = 0; i < n; i++) m.rss[i] = number();
    for (let i = 0; i < n; i++) m.argAt[i + 1] = m.argAt[i] + number();
    m.args = new Uint32Array(m.argAt[n]);
    for (let i = 0; i < m.args.length; i++) m.args[i] = number();
    m.uses = new Uint32Array(count); // of each text as an argument
    for (const t of m.args) m.uses[t]++;
    m.runs = new Map(); // processes by program
    for (const p of m.program) m.runs.set(p, (m.runs.get(p) || 0) + 1);
    // The critical path.
    const segments = number();
    m.path = { n: segments, process: new Int32Array(segments), start: new Float64Array(segments + 1), next: new Uint8Array(segments), proved: new Uint8Array(segments) };
    for (let i = 0, t = 0; i < segments; i++) {
      m.path.process[i] = number();
      m.path.start[i] = t;
      t += number();
      const f = number();
      m.path.next[i] = f >> 1; m.path.proved[i] = f & 1;
      m.path.start[i + 1] = t;
    }
    m.onPath = new Uint8Array(n);
    m.held = new Float64Array(n);
    for (let i = 0; i < segments; i++) {
      m.onPath[m.path.process[i]] = 1;
      m.held[m.path.process[i]] += m.path.start[i + 1] - m.path.start[i];
    }
    // Children, by start, as the processes are.
    m.childAt = new Uint32Array(n + 1);
    for (let i = 0; i < n; i++) if (m.parent[i] !== NONE) m.childAt[m.parent[i] + 1]++;
    for (let i = 0; i < n; i++) m.childAt[i + 1] += m.childAt[i];
    m.children = new Int32Array(m.childAt[n]);
    const next = m.childAt.slice();
    for (let i = 0; i < n; i++) if (m.parent[i] !== NONE) m.children[next[m.parent[i]]++] = i;
    return m;
  }

  // ---- words ----

  // visible replaces what acts on a page or changes the direction of text.
  const acting = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
  const visible = (s) => s.replace(acting, (c) => c === '\n' ? '\\n' : c === '\t' ? '\\t' : '\\u' + c.codePointAt(0).toString(16).padStart(4, '0'));
  // cut bounds what is laid out: a browser takes minutes for a word of 2 MiB.
  const cut = (s, most) => s.length > most ? s.slice(0, most) + '… (' + s.length + ' characters in all)' : s;
  const quoted = (s) => /^[\w%+,\-./:=@^\u0080-\uffff]+$/u.test(s) ? s : "'" + s.replaceAll("'", "'\\''") + "'";
  const names = new Map();
  const programName = (t) => { let s = names.get(t); if (s === undefined) names.set(t, s = visible(m.text(t))); return s; };
  const name = (i) => programName(m.program[i]);
  const argsOf = (i) => Array.from(m.args.subarray(m.argAt[i], m.argAt[i + 1]), (t) => m.text(t));
  function line(i, most = 400) {
    let s = m.text(m.program[i]);
    for (let a = m.argAt[i] + 1; a < m.argAt[i + 1] && s.length < most; a++) s += ' ' + quoted(m.text(m.args[a]).slice(0, most));
    if (s.length > most) s = s.slice(0, most) + '…';
    return visible(s) + (m.flags[i] & ARGS_CUT ? ' …' : '');
  }
  // brief is line without the arguments that most processes of its program share: an
  // ellipsis stands for them.
  function brief(i, most) {
    let s = m.text(m.program[i]), skipped = false;
    for (let a = m.argAt[i] + 1; a < m.argAt[i + 1] && s.length < most; a++) {
      const t = m.args[a];
      if (m.uses[t] >= FOLD && m.uses[t] * 2 >= m.runs.get(m.program[i])) { skipped = true; continue; }
      s += (skipped ? ' … ' : ' ') + quoted(m.text(t).slice(0, most));
      skipped = false;
    }
    return visible(s.length > most ? s.slice(0, most) + '…' : s) + (skipped || m.flags[i] & ARGS_CUT ? ' …' : '');
  }
  function short(ns) {
    if (ns === 0) return '0';
    const a = Math.abs(ns);
    if (a < 1e3) return ns.toFixed(0) + ' ns';
    if (a < 1e6) return (ns / 1e3).toPrecision(3) + ' µs';
    if (a < 1e9) return (ns / 1e6).toPrecision(3) + ' ms';
    if (a < 1e11) return (ns / 1e9).toPrecision(3) + ' s';
    const s = Math.round(ns / 1e9), h = Math.floor(s / 3600), min = Math.floor(s / 60) % 60;
    return (h ? h + ' h ' : '') + (h || min ? min + ' min ' : '') + s % 60 + ' s';
  }
  const bytesText = (b) => b >= 2 ** 30 ? (b / 2 ** 30).toFixed(1) + ' GiB' : b >= 2 ** 20 ? (b / 2 ** 20).toFixed(1) + ' MiB' : Math.round(b / 1024) + ' KiB';
  const signals = ['', 'HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV', 'USR2', 'PIPE', 'ALRM', 'TERM', 'STKFLT', 'CHLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ', 'VTALRM', 'PROF', 'WINCH', 'IO', 'PWR', 'SYS'];
  function outcome(i) {
    if (m.flags[i] & END_EST) return 'end unknown';
    const sig = m.status[i] & 127;
    if (sig) return (signals[sig] ? 'SIG' + signals[sig] : 'signal ' + sig) + (m.flags[i] & OOM ? ', out of memory' : '') + (m.status[i] & 128 ? ', core dumped' : '');
    return 'exit ' + (m.status[i] >> 8 & 255) + (m.flags[i] & EXPECTED ? ' (expected)' : '');
  }
  function joined(i) {
    if (m.flags[i] & WAITED) return 'proved: the parent was waiting when it ended';
    if (m.flags[i] & WORKED) return 'the parent was not in a wait call when it ended';
    return 'not known';
  }

  // ---- rows ----

  // A row is a process, a group of siblings that run one program, or a lane.
  // Leaves are grouped where they are more than FOLD; in jobs of more than SMALL
  // processes all siblings are.
  const FOLD = 8, SMALL = 100;
  const open = new Set(); // the keys of groups that were opened
  const closed = new Set(); // processes whose children are hidden

  // rowsOfTree returns the rows from the roots down. Below an open group are lanes of
  // its processes and all that is below them.
  function rowsOfTree() {
    const rows = [];
    const roots = [];
    for (let i = 0; i < m.n; i++) if (m.parent[i] === NONE) roots.push(i);
    const stack = [];
    const alone = (i) => m.childAt[i] === m.childAt[i + 1];
    const pushAll = (list, depth, key) => {
      const counts = new Map();
      for (const c of list) if (m.n > SMALL || alone(c)) counts.set(m.program[c], (counts.get(m.program[c]) || 0) + 1);
      const made = new Map(), items = [];
      for (const c of list) {
        const p = m.program[c];
        if (counts.get(p) > FOLD && (m.n > SMALL || alone(c))) {
          let g = made.get(p);
          if (!g) {
            g = { group: [], id: key + ':' + p, depth, program: p };
            made.set(p, g);
            items.push(g);
          }
          g.group.push(c);
        } else items.push({ process: c, depth });
      }
      for (let k = items.length - 1; k >= 0; k--) stack.push(items[k]);
    };
    pushAll(roots, 0, 'root');
    while (stack.length) {
      const r = stack.pop();
      rows.push(r);
      if (r.group) {
        r.most = prefixMax(r.group);
        if (open.has(r.id)) for (const l of lanes(below(r.group))) rows.push(l);
        continue;
      }
      const i = r.process;
      if (!alone(i) && !closed.has(i)) pushAll(m.children.subarray(m.childAt[i], m.childAt[i + 1]), r.depth + 1, i);
    }
    return rows;
  }
  // below returns the processes of a list and all below them, by start.
  function below(list) {
    const all = Int32Array.from(list), more = [];
    for (let stack = Array.from(list); stack.length;) {
      const i = stack.pop();
      for (let k = m.childAt[i]; k < m.childAt[i + 1]; k++) { more.push(m.children[k]); stack.push(m.children[k]); }
    }
    return more.length ? Int32Array.from([...all, ...more]).sort() : all;
  }
  function prefixMax(list) {
    const most = new Float64Array(list.length);
    for (let k = 0, t = -Infinity; k < list.length; k++) most[k] = t = Math.max(t, m.end[list[k]]);
    return most;
  }
  // lanes gives each process of a list, by start, the first lane that is free at its
  // start, as timeline does for the whole job.
  function lanes(list) {
    const heap = (less) => {
      const a = [];
      return {
        get size() { return a.length; }, top: () => a[0],
        push(x) { let i = a.push(x) - 1; while (i && less(a[i], a[i - 1 >> 1])) { const u = i - 1 >> 1;[a[i], a[u]] = [a[u], a[i]]; i = u; } },
        pop() {
          const t = a[0], x = a.pop();
          if (a.length) {
            a[0] = x;
            for (let i = 0; ;) { let d = 2 * i + 1; if (d >= a.length) break; if (d + 1 < a.length && less(a[d + 1], a[d])) d++; if (!less(a[d], a[i])) break;[a[i], a[d]] = [a[d], a[i]]; i = d; }
          }
          return t;
        },
      };
    };
    const ends = new Float64Array(m.n), laneOf = new Int32Array(m.n), all = [];
    const busy = heap((x, y) => ends[x] < ends[y]), free = heap((x, y) => x < y);
    for (const i of list) {
      while (busy.size && ends[busy.top()] <= m.start[i]) free.push(laneOf[busy.pop()]);
      const lane = free.size ? free.pop() : all.push([]) - 1;
      laneOf[i] = lane;
      ends[i] = Math.max(m.end[i], m.start[i] + 1);
      all[lane].push(i);
      busy.push(i);
    }
    return all.map((list, lane) => {
      const bad = new Uint32Array(list.length + 1), path = new Uint32Array(list.length + 1);
      list.forEach((i, k) => { bad[k + 1] = bad[k] + (m.flags[i] & FAILED ? 1 : 0); path[k + 1] = path[k] + m.onPath[i]; });
      return { lane, list, bad, path };
    });
  }

  // ---- view ----

  const ROW = 18, LABEL = 330, STRIP = 64, PATH = 22, AXIS = 18;
  const canvas = $('timeline'), over = $('overlay'), g = canvas.getContext('2d', { alpha: false }), o = over.getContext('2d');
  let m, rows = [], laneRows, mode = 'tree', selected = NONE, query = '';
  let hits = null, above; // what the query finds, and the same with all ancestors
  const view = { from: 0, to: 1, top: 0 };
  let width = 0, height = 0, ratio = 1, wanted = false, load;

  const dark = () => matchMedia('(prefers-color-scheme: dark)').matches;
  // Okabe and Ito's colours, told apart by the colour-blind; failures have stripes
  // as well, and the critical path an underline.
  const palette = ['#56b4e9', '#e69f00', '#009e73', '#cc79a7', '#f0e442', '#0072b2', '#999999'];
  const failed = '#d55e00';
  let hue, ink, paper, faint;
  function colours() {
    const d = dark();
    ink = d ? '#e6e6e6' : '#1a1a1a'; paper = d ? '#16181c' : '#ffffff'; faint = d ? '#33363d' : '#e3e5e8';
  }
  function hues() {
    const time = new Map();
    for (let i = 0; i < m.n; i++) time.set(m.program[i], (time.get(m.program[i]) || 0) + m.end[i] - m.start[i]);
    hue = new Map([...time].sort((a, b) => b[1] - a[1]).slice(0, 6).map(([p], k) => [p, palette[k]]));
  }
  function legend() {
    const box = $('legend'), add = (colour, words) => { const e = document.createElement('span'), i = document.createElement('i'); i.style.background = colour; e.append(i, words); box.append(e); };
    for (const [p, c] of hue) add(c, programName(p).slice(0, 40));
    if (m.runs.size > hue.size) add(palette[6], 'other programs');
    if (m.failures.length) add('repeating-linear-gradient(90deg, ' + failed + ' 0 3px, transparent 3px 4px)', 'failed');
    add('linear-gradient(transparent 75%, currentColor 75%)', 'on the critical path');
  }
  const colour = (i) => m.flags[i] & FAILED ? failed : hue.get(m.program[i]) || palette[6];

  const labelWidth = () => mode === 'tree' ? Math.min(LABEL, width * 0.4) : 0;
  const bodyTop = STRIP + PATH + AXIS;
  const x = (t) => labelWidth() + (t - view.from) / (view.to - view.from) * (width - labelWidth());
  const time = (px) => view.from + (px - labelWidth()) / (width - labelWidth()) * (view.to - view.from);

  function resize() {
    ratio = Math.min(devicePixelRatio || 1, 2);
    width = canvas.clientWidth; height = canvas.clientHeight;
    for (const c of [canvas, over]) { c.width = width * ratio; c.height = height * ratio; }
    g.setTransform(ratio, 0, 0, ratio, 0, 0); o.setTransform(ratio, 0, 0, ratio, 0, 0);
    redraw();
  }
  function redraw() { if (!wanted) { wanted = true; requestAnimationFrame(() => { wanted = false; draw(); }); } }

  function clamp() {
    const least = Math.max(m.elapsed * 1e-7, 1000), end = Math.max(m.elapsed, 1);
    let w = Math.min(Math.max(view.to - view.from, least), end * 1.02);
    view.from = Math.min(Math.max(view.from, -end * 0.01), end * 1.01 - w);
    view.to = view.from + w;
    view.top = Math.max(0, Math.min(view.top, rows.length * ROW - (height - bodyTop)));
  }

  function draw() {
    clamp();
    g.fillStyle = paper; g.fillRect(0, 0, width, height);
    g.font = '12px system-ui, sans-serif'; g.textBaseline = 'middle';
    drawStrip(); drawPath(); drawAxis();
    g.save();
    g.beginPath(); g.rect(0, bodyTop, width, height - bodyTop); g.clip();
    const first = Math.floor(view.top / ROW), last = Math.min(rows.length, Math.ceil((view.top + height - bodyTop) / ROW));
    marks.begin();
    for (let r = first; r < last; r++) {
      const y = bodyTop + r * ROW - view.top;
      if (rows[r].list) drawLane(rows[r], y, r - first); else drawRow(rows[r], y);
    }
    marks.draw(bodyTop + first * ROW - view.top);
    g.restore();
    drawOverlay();
    drawn++;
  }
  let drawn = 0;

  function drawStrip() {
    const n = load.running.length, left = labelWidth(), top = Math.max(m.head.cpus, load.most, 1);
    const y = (v) => STRIP - 6 - v / top * (STRIP - 12);
    g.fillStyle = faint; g.fillRect(left, 0, width - left, STRIP);
    for (const [values, style, shape] of [[load.running, palette[0], 'fill'], [load.cpus, ink, 'line']]) {
      g.beginPath();
      g.moveTo(left, STRIP - 6);
      for (let px = left; px <= width; px++) {
        const a = Math.max(0, Math.floor(time(px) / load.width)), b = Math.min(n - 1, Math.floor(time(px + 1) / load.width));
        let v = 0;
        for (let k = a; k <= b; k++) v = Math.max(v, values[k]);
        g.lineTo(px, y(a < n && b >= 0 ? v : 0));
      }
      if (shape === 'fill') { g.lineTo(width, STRIP - 6); g.fillStyle = style; g.fill(); } else { g.strokeStyle = style; g.lineWidth = 1; g.stroke(); }
    }
    if (m.head.cpus) {
      g.strokeStyle = failed; g.setLineDash([4, 3]);
      g.beginPath(); g.moveTo(left, y(m.head.cpus)); g.lineTo(width, y(m.head.cpus)); g.stroke(); g.setLineDash([]);
    }
    g.fillStyle = failed;
    for (const i of m.failures) { const px = x(m.end[i]); if (px >= left && px <= width) g.fillRect(px - 1, STRIP - 6, 2, 6); }
    g.fillStyle = ink;
    if (left) { g.fillText('running', 6, 12); g.fillText('— CPUs in use', 6, 28); if (m.head.cpus) g.fillText('- - ' + m.head.cpus + ' CPUs', 6, 44); }
  }

  const firstSegment = (t) => { let a = 0, b = m.path.n; while (a < b) { const c = a + b >> 1; if (m.path.start[c + 1] <= t) a = c + 1; else b = c; } return a; };
  function drawPath() {
    const p = m.path;
    if (labelWidth()) { g.fillStyle = ink; g.fillText('critical path', 6, STRIP + PATH / 2); }
    for (let k = firstSegment(view.from), px = -1; k < p.n && p.start[k] < view.to;) {
      const i = p.process[k], a = Math.max(x(p.start[k]), labelWidth()), b = x(p.start[k + 1]);
      if (b - a < 1) { // skip to the next pixel
        if (a > px) { g.fillStyle = colour(i); g.fillRect(a, STRIP + 3, 1, PATH - 6); px = a + 1; }
        k = Math.max(k + 1, firstSegment(time(Math.max(a, px) + 0.5)));
        continue;
      }
      g.fillStyle = colour(i); g.fillRect(a, STRIP + 3, Math.max(b - a - 0.5, 1), PATH - 6);
      if (!p.proved[k]) { g.fillStyle = paper; for (let s = a + 3; s < b; s += 6) g.fillRect(s, STRIP + PATH - 6, 2, 2); }
      if (b - a > 30) text(name(i), a + 3, STRIP + PATH / 2, b - a - 6, colour(i));
      k++;
    }
  }

  function drawAxis() {
    const left = labelWidth(), span = view.to - view.from, raw = span / Math.max((width - left) / 110, 1);
    const mag = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find((f) => f * mag >= raw) * mag;
    g.fillStyle = ink; g.strokeStyle = faint;
    for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) {
      const px = x(t);
      if (px < left) continue;
      g.beginPath(); g.moveTo(px, STRIP + PATH); g.lineTo(px, height); g.stroke();
      g.fillText(short(Math.max(t, 0)), px + 2, STRIP + PATH + AXIS / 2);
    }
  }

  // text draws as much of s as fits. Widths are remembered: to measure costs more
  // than to draw, and the same words come again and again.
  const widths = new Map();
  function widthOf(s) {
    let w = widths.get(s);
    if (w === undefined) {
      if (widths.size > 5000) widths.clear();
      widths.set(s, w = g.measureText(s).width);
    }
    return w;
  }
  function text(s, px, y, room, on) {
    if (s.length > room) s = s.slice(0, room); // no letter is narrower than a pixel
    let w = widthOf(s);
    while (w > room && s) {
      s = s.slice(0, Math.min(s.length - 1, Math.floor(s.length * room / w)) - 1);
      w = s ? widthOf(s + '…') : 0;
      if (s && w <= room) s += '…';
    }
    if (!s) return;
    if (on) { g.fillStyle = on; g.fillRect(px - 2, y - 6, w + 4, 12); } // stripes end beside it
    g.fillStyle = on ? bright(on) ? '#000' : '#fff' : ink;
    g.fillText(s, px, y);
  }
  const bright = (c) => { const v = parseInt(c.slice(1), 16); return (v >> 16) * 0.3 + (v >> 8 & 255) * 0.59 + (v & 255) * 0.11 > 120; };

  function bar(i, y, a, b, found = !hits || hits.has(i)) {
    const w = Math.max(b - a, 1);
    g.fillStyle = found ? colour(i) : faint;
    g.fillRect(a, y + 2, w, ROW - 5);
    if (m.flags[i] & FAILED && w > 4) { g.fillStyle = paper; for (let s = a + 2; s < a + w - 1; s += 6) g.fillRect(s, y + 2, 1, ROW - 5); }
    if (m.onPath[i]) { g.fillStyle = ink; g.fillRect(a, y + ROW - 4, w, 2); }
    if (m.flags[i] & (START_EST | END_EST) && w > 8) { g.fillStyle = paper; if (m.flags[i] & START_EST) g.fillRect(a, y + 2, 2, ROW - 5); if (m.flags[i] & END_EST) g.fillRect(a + w - 2, y + 2, 2, ROW - 5); }
  }

  function drawRow(r, y) {
    const left = labelWidth(), indent = 6 + Math.min(r.depth, 20) * 10;
    if (r.group) {
      drawGroup(r, y, left);
      label((open.has(r.id) ? '▾ ' : '▸ ') + visible(m.text(r.program)) + ' × ' + r.group.length, indent, y, left, false);
      return;
    }
    const i = r.process, a = Math.max(x(m.start[i]), left), b = Math.min(x(m.end[i]), width + 1);
    if (b >= left && a <= width) {
      bar(i, y, a, b);
      if (b - a > 60) text(brief(i, 200), a + 4, y + ROW / 2 - 1, b - a - 8, hits && !hits.has(i) ? null : colour(i));
    }
    const mark = m.childAt[i] < m.childAt[i + 1] ? (closed.has(i) ? '▸ ' : '▾ ') : '  ';
    label(mark + brief(i, 120) + (m.flags[i] & FAILED ? ' ✗ ' + outcome(i) : ''), indent, y, left, m.flags[i] & FAILED);
  }
  function label(s, px, y, left, bad) {
    g.fillStyle = paper; g.fillRect(0, y, left - 2, ROW);
    text(s, px, y + ROW / 2, left - px - 8);
    if (bad) { g.fillStyle = failed; g.fillRect(0, y + 3, 3, ROW - 6); }
  }
  // drawGroup draws the bars of alike leaves: those below a pixel once for each.
  function drawGroup(r, y, left) {
    const list = r.group, n = list.length;
    let k = lower(n, (c) => r.most[c] <= view.from);
    while (k < n && m.start[list[k]] < view.to) {
      const i = list[k], a = Math.max(x(m.start[i]), left), b = x(m.end[i]);
      if (b >= left) bar(i, y, a, Math.min(b, width + 1), !hits || above[i]);
      if (b - a >= 1 || b < left) { k++; continue; }
      const until = time(a + 1);
      k = Math.max(k + 1, lower(n, (c) => m.start[list[c]] < until));
    }
  }
  // lower returns the first of n for which before is false.
  function lower(n, before) { let a = 0, b = n; while (a < b) { const c = a + b >> 1; if (before(c)) a = c + 1; else b = c; } return a; }

  function drawLane(r, y, row) {
    const list = r.list, n = list.length, left = labelWidth();
    let k = lower(n, (c) => m.end[list[c]] < view.from);
    while (k < n && m.start[list[k]] < view.to) {
      const i = list[k], a = Math.max(x(m.start[i]), left), b = Math.min(x(m.end[i]), width + 1);
      const px = Math.floor(a);
      if (b - a >= 3) {
        bar(i, y, a, b - 0.5);
        if (b - a > 40) text(name(i), a + 3, y + ROW / 2 - 1, b - a - 6, hits && !hits.has(i) ? null : colour(i));
        k++;
        continue;
      }
      if (b - a >= 1) { // snapped to whole pixels; from 2 px on, the last one stays empty as a gap
        const end = Math.min(Math.floor(b), Math.ceil(width)), gap = b - a >= 2 && b <= width ? 1 : 0;
        marks.add(row, px, Math.max(end - gap, px + 1), !hits || hits.has(i) ? colour(i) : faint, m.onPath[i]);
        k++;
        continue;
      }
      // All that ends within this pixel is one mark, of the worst that is in it.
      const until = time(px + 1);
      const next = Math.max(k + 1, k + lower(n - k, (c) => m.end[list[k + c]] < until));
      const found = !hits || hitsOf(r)[next] > hitsOf(r)[k];
      marks.add(row, px, px + 1, !found ? faint : r.bad[next] - r.bad[k] ? failed : colour(i), r.path[next] > r.path[k]);
      k = next;
    }
  }
  // hitsOf counts the hits in a lane before each of its processes.
  function hitsOf(r) {
    if (r.hits !== hits) {
      r.hits = hits; r.found = new Uint32Array(r.list.length + 1);
      r.list.forEach((i, k) => { r.found[k + 1] = r.found[k] + (hits.has(i) ? 1 : 0); });
    }
    return r.found;
  }

  // marks draws what is a few pixels wide in all lanes, from one picture with two lines
  // a row: the bars, and what is under them on the critical path. There can be 16,000
  // bars, and as rectangles they cost three times as much. The picture is written once a
  // frame: the browser copies a canvas that changes between two drawImage calls.
  const marks = {
    picture: document.createElement('canvas'), data: null, pixels: null, bars: [], paths: [],
    begin() {
      if (this.bars.length) this.pixels.fill(0);
      this.bars = []; this.paths = [];
      const w = Math.max(Math.ceil(width), 1), h = 2 * (Math.ceil(Math.max(height - bodyTop, 0) / ROW) + 1);
      if (this.data && this.data.width === w && this.data.height === h) return;
      this.picture.width = w; this.picture.height = h;
      this.data = new ImageData(w, h);
      this.pixels = new Uint32Array(this.data.data.buffer);
    },
    // add paints pixels. Of several on one, what failed wins, then what was found.
    add(row, from, to, colour, path) {
      const begin = 2 * row * this.data.width, under = begin + this.data.width, c = rgba(colour), none = rgba(faint);
      this.bars[row] = true;
      for (let at = begin + from; at < begin + to; at++) {
        const there = this.pixels[at];
        if (!there || there === none || colour === failed) this.pixels[at] = c;
      }
      if (path) { this.paths[row] = true; this.pixels.fill(rgba(ink), under + from, under + to); }
    },
    draw(y) {
      if (!this.bars.length) return;
      const w = this.data.width;
      this.picture.getContext('2d').putImageData(this.data, 0, 0);
      g.imageSmoothingEnabled = false;
      this.bars.forEach((_, row) => g.drawImage(this.picture, 0, 2 * row, w, 1, 0, y + row * ROW + 2, w, ROW - 5));
      this.paths.forEach((_, row) => g.drawImage(this.picture, 0, 2 * row + 1, w, 1, 0, y + row * ROW + ROW - 4, w, 2));
    },
  };
  // rgba is a colour as a pixel of an ImageData holds it, in the machine's byte order.
  const bytes = new Uint8Array(4), pixel = new Uint32Array(bytes.buffer), rgbas = new Map();
  function rgba(c) {
    let v = rgbas.get(c);
    if (v === undefined) {
      bytes.set([1, 3, 5].map((at) => parseInt(c.slice(at, at + 2), 16)).concat(255));
      rgbas.set(c, v = pixel[0]);
    }
    return v;
  }

  function drawOverlay() {
    o.clearRect(0, 0, width, height);
    if (selected === NONE) return;
    const r = rowOf(selected);
    if (r === NONE) return;
    const y = bodyTop + r * ROW - view.top;
    if (y < bodyTop - ROW || y > height) return;
    const a = Math.max(x(m.start[selected]), labelWidth()), b = Math.min(x(m.end[selected]), width);
    o.strokeStyle = ink; o.lineWidth = 2;
    if (b >= a) o.strokeRect(a - 1, y + 1, Math.max(b - a, 2) + 2, ROW - 3);
  }

  // ---- finding ----

  let rowIndex;
  function indexRows() {
    rowIndex = new Int32Array(m.n).fill(NONE);
    rows.forEach((r, k) => {
      if (r.list) for (const i of r.list) rowIndex[i] = k;
      else if (r.group) { for (const i of r.group) if (rowIndex[i] === NONE) rowIndex[i] = k; } else rowIndex[r.process] = k;
    });
  }
  const rowOf = (i) => rowIndex[i];
  function layout() {
    if (mode === 'lanes') rows = laneRows ||= lanes(m.start.keys()); else rows = rowsOfTree();
    indexRows();
    // As high as its rows, up to most of the window.
    const high = Math.round(Math.max(Math.min(bodyTop + rows.length * ROW + 8, innerHeight * 0.7), 200)) + 'px';
    if ($('stage').style.height !== high) { $('stage').style.height = high; resize(); } else redraw();
  }

  // hit returns the process that is drawn at a pixel, or NONE.
  function hit(px, py) {
    if (py >= STRIP && py < STRIP + PATH) { const k = firstSegment(time(px)); return px >= labelWidth() && k < m.path.n ? m.path.process[k] : NONE; }
    if (py < bodyTop) return NONE;
    const r = rows[Math.floor((py - bodyTop + view.top) / ROW)];
    if (!r) return NONE;
    if (r.process !== undefined) {
      if (px < labelWidth()) return r.process;
      const a = x(m.start[r.process]), b = Math.max(x(m.end[r.process]), a + 1);
      return px >= a - 2 && px <= b + 2 ? r.process : NONE;
    }
    if (px < labelWidth()) return NONE;
    const list = r.list || r.group, t = time(px), slack = (time(px + 2) - t);
    let best = NONE, off = Infinity;
    const from = r.list ? lower(list.length, (c) => m.end[list[c]] < t - slack) : lower(list.length, (c) => r.most[c] < t - slack);
    for (let k = from; k < list.length && m.start[list[k]] <= t + slack; k++) {
      const i = list[k], d = t < m.start[i] ? m.start[i] - t : t > m.end[i] ? t - m.end[i] : 0;
      if (d <= slack && d < off) { best = i; off = d; if (!d) break; }
    }
    return best;
  }

  // matches returns a test for a query: words that all must be in the command
  // line, exit≠0, >1s, pid 123, path.
  function matches(q) {
    const tests = [];
    for (const w of q.trim().split(/\s+/)) {
      let f;
      if (!w) continue;
      if (/^exit(≠|!=)0$/.test(w) || w === 'failed') tests.push((i) => m.flags[i] & FAILED);
      else if (w === 'path') tests.push((i) => m.onPath[i]);
      else if ((f = /^>(\d+(?:\.\d+)?)(ns|us|µs|ms|s|min)?$/.exec(w))) {
        const least = f[1] * { ns: 1, us: 1e3, 'µs': 1e3, ms: 1e6, s: 1e9, min: 6e10 }[f[2] || 's'];
        tests.push((i) => m.end[i] - m.start[i] > least);
      } else if ((f = /^pid[:=](\d+)$/.exec(w))) tests.push((i) => m.pid[i] === +f[1]);
      else {
        const want = w.toLowerCase(), known = new Map();
        const has = (t) => { let v = known.get(t); if (v === undefined) known.set(t, v = m.text(t).toLowerCase().includes(want)); return v; };
        tests.push((i) => {
          if (has(m.program[i]) || has(m.executable[i]) || has(m.container[i])) return true;
          for (let a = m.argAt[i]; a < m.argAt[i + 1]; a++) if (has(m.args[a])) return true;
          return false;
        });
      }
    }
    return tests.length ? (i) => tests.every((t) => t(i)) : null;
  }
  function search(q) {
    query = q;
    const test = matches(q);
    hits = null;
    if (test) {
      hits = new Set(); above = new Uint8Array(m.n);
      for (let i = 0; i < m.n; i++) if (test(i)) { hits.add(i); for (let p = i; p !== NONE && !above[p]; p = m.parent[p]) above[p] = 1; }
    }
    $('found').textContent = hits ? hits.size + ' of ' + m.n : '';
    table();
    redraw(); remember();
  }

  // table shows the processes that were found, or the longest, as the accessible
  // form of the drawing.
  const TABLE = 200;
  function table() {
    const list = hits ? [...hits] : Array.from({ length: m.n }, (_, i) => i);
    list.sort((a, b) => m.end[b] - m.start[b] - m.end[a] + m.start[a]);
    const body = $('processes');
    body.replaceChildren();
    for (const i of list.slice(0, TABLE)) {
      const tr = document.createElement('tr');
      for (const [k, s] of [short(m.start[i]), short(m.end[i] - m.start[i]), short(m.user[i] + m.system[i]), outcome(i), String(m.pid[i])].entries()) {
        const td = document.createElement('td');
        td.textContent = s;
        if (k < 3) td.className = 'num';
        tr.append(td);
      }
      const td = document.createElement('td'), b = document.createElement('button');
      b.type = 'button'; b.className = 'link'; b.textContent = line(i, 160);
      b.addEventListener('click', () => select(i, true));
      td.append(b); tr.append(td); body.append(tr);
    }
    $('tablecount').textContent = list.length > TABLE ? 'the longest ' + TABLE + ' of ' + list.length : list.length + '';
  }

  // ---- details ----

  let split = false; // the panel has taken its part of the width
  function select(i, show) {
    selected = i;
    const box = $('details');
    box.replaceChildren();
    box.hidden = i === NONE;
    if ($('stage').classList.toggle('split', !box.hidden) !== split) { split = !split; resize(); }
    if (i !== NONE) {
      if (mode === 'tree') { // open what hides it
        for (let p = m.parent[i]; p !== NONE; p = m.parent[p]) closed.delete(p);
        layout();
        if (rowOf(i) === NONE) { // it is below one of a group
          for (let p = i; p !== NONE; p = m.parent[p]) open.add((m.parent[p] === NONE ? 'root' : m.parent[p]) + ':' + m.program[p]);
          layout();
        }
      }
      details(box, i);
      if (show) reveal(i);
    }
    redraw(); remember();
  }
  function reveal(i) {
    const r = rowOf(i), y = r * ROW - view.top;
    if (r !== NONE && (y < 0 || y > height - bodyTop - ROW)) view.top = r * ROW - (height - bodyTop) / 2;
    const life = Math.max(m.end[i] - m.start[i], m.elapsed / 1e5);
    if (x(m.end[i]) - x(m.start[i]) < 4 || m.start[i] > view.to || m.end[i] < view.from) { view.from = m.start[i] - life * 4; view.to = m.start[i] + life * 6; }
    redraw();
  }
  function details(box, i) {
    const add = (tag, text, cls) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (cls) e.className = cls; box.append(e); return e; };
    const close = add('button', '×', 'close'); close.type = 'button'; close.setAttribute('aria-label', 'close'); close.addEventListener('click', () => select(NONE));
    add('h3', cut(name(i), 200));
    add('pre', cut(argsOf(i).map((s) => visible(quoted(s))).join(' '), 1 << 16) + (m.flags[i] & ARGS_CUT ? ' …' : ''));
    const dl = add('dl');
    const row = (k, v) => { if (!v) return; const t = document.createElement('dt'), d = document.createElement('dd'); t.textContent = k; d.textContent = cut(v, 5000); dl.append(t, d); };
    const life = m.end[i] - m.start[i], cpu = m.user[i] + m.system[i];
    row('ended', outcome(i));
    const k = (m.head.killers || []).find((k) => k.at === i);
    if (k) row('killed by', visible(k.name) + ' (pid ' + k.pid + ')');
    row('pid', String(m.pid[i]));
    row('from – to', short(m.start[i]) + (m.flags[i] & START_EST ? ' (estimated)' : '') + ' – ' + short(m.end[i]) + (m.flags[i] & END_EST ? ' (estimated)' : ''));
    row('lived', short(life) + (m.start[i] > m.forked[i] ? ', forked ' + short(m.start[i] - m.forked[i]) + ' before its exec' : ''));
    row('holds the path', m.held[i] ? short(m.held[i]) + ' (' + (m.held[i] / m.elapsed * 100).toFixed(1) + ' %)' : '');
    row('on a CPU', short(cpu) + (life ? ' (' + (cpu / life * 100).toFixed(0) + ' %): user ' + short(m.user[i]) + ', system ' + short(m.system[i]) : ''));
    if (m.flags[i] & DELAY) row('waited for a CPU', short(m.delay[i]));
    row('asleep', life > cpu + m.delay[i] ? short(life - cpu - m.delay[i]) : '');
    row('peak memory', m.rss[i] ? bytesText(m.rss[i]) : '');
    row('joined', joined(i));
    row('executable', visible(m.text(m.executable[i])));
    row('directory', visible(m.text(m.directory[i])));
    row('container', visible(m.text(m.container[i])));
    const re = (m.head.reexecs || []).filter((r) => r.at === i);
    row('became', re.map((r) => visible(m.text(r.program)) + ' at ' + short(r.time)).join(', '));
    const left = (m.head.filtered || []).find((l) => l.at === i);
    if (left) row('filtered below', left.count + ' short processes');
    const kids = m.childAt[i + 1] - m.childAt[i];
    row('children', kids ? String(kids) : '');
    add('h4', 'started by');
    const ol = add('ol');
    for (let p = m.parent[i], n = 0; p !== NONE && n < 50; p = m.parent[p], n++) {
      const li = document.createElement('li'), b = document.createElement('button'), to = p;
      b.type = 'button'; b.className = 'link'; b.textContent = line(p, 120);
      b.addEventListener('click', () => select(to, true));
      li.append(b); ol.append(li);
    }
  }

  // ---- the URL fragment ----

  let remembering = 0;
  function remember() {
    clearTimeout(remembering);
    remembering = setTimeout(() => {
      const f = new URLSearchParams();
      if (view.from > 0 || view.to < m.elapsed) f.set('t', Math.round(view.from) + '-' + Math.round(view.to));
      if (mode !== 'tree') f.set('mode', mode);
      if (query) f.set('q', query);
      if (selected !== NONE) f.set('sel', selected);
      history.replaceState(null, '', '#' + f);
    }, 200);
  }
  function recall() {
    const f = new URLSearchParams(location.hash.slice(1));
    mode = f.get('mode') === 'lanes' ? 'lanes' : 'tree';
    $('mode').value = mode;
    const t = /^(-?\d+)-(\d+)$/.exec(f.get('t') || '');
    if (t && +t[2] > +t[1]) { view.from = +t[1]; view.to = +t[2]; } else fit();
    layout();
    $('query').value = f.get('q') || '';
    search($('query').value);
    const i = +(f.get('sel') ?? NONE);
    select(Number.isInteger(i) && i >= 0 && i < m.n ? i : NONE, i >= 0 && !t);
  }
  function fit() { view.from = 0; view.to = Math.max(m.elapsed, 1); }

  // ---- hands ----

  function zoom(f, px) { const t = time(px); view.from = t - (t - view.from) * f; view.to = t + (view.to - t) * f; redraw(); remember(); }
  function pan(px) { const d = px / (width - labelWidth()) * (view.to - view.from); view.from += d; view.to += d; redraw(); remember(); }
  function wire() {
    let drag = null;
    over.addEventListener('wheel', (e) => {
      e.preventDefault();
      if (e.ctrlKey || e.metaKey || e.offsetY < bodyTop) zoom(e.deltaY > 0 ? 1.25 : 0.8, e.offsetX);
      else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) pan(e.deltaX || e.deltaY);
      else { view.top += e.deltaY; redraw(); }
    }, { passive: false });
    over.addEventListener('pointerdown', (e) => { drag = { x: e.offsetX, y: e.offsetY, at: e.offsetX, brush: e.offsetY < STRIP, from: view.from, to: view.to, top: view.top }; over.setPointerCapture(e.pointerId); });
    over.addEventListener('pointermove', (e) => {
      if (!drag) { over.title = ''; const i = hit(e.offsetX, e.offsetY); if (i !== NONE) over.title = line(i, 200) + ' · ' + short(m.end[i] - m.start[i]) + ' · ' + outcome(i); return; }
      drag.at = e.offsetX;
      if (drag.brush) { drawOverlay(); o.fillStyle = 'rgba(86,180,233,.35)'; o.fillRect(Math.min(drag.x, drag.at), 0, Math.abs(drag.at - drag.x), STRIP); return; }
      const d = (drag.x - e.offsetX) / (width - labelWidth()) * (drag.to - drag.from);
      view.from = drag.from + d; view.to = drag.to + d; view.top = drag.top + drag.y - e.offsetY;
      redraw();
    });
    over.addEventListener('pointerup', (e) => {
      const d = drag;
      drag = null;
      if (!d) return;
      if (Math.abs(e.offsetX - d.x) + Math.abs(e.offsetY - d.y) > 4) {
        if (d.brush) { const a = time(Math.min(d.x, e.offsetX)), b = time(Math.max(d.x, e.offsetX)); view.from = a; view.to = b; redraw(); }
        remember();
        return;
      }
      const r = rows[Math.floor((e.offsetY - bodyTop + view.top) / ROW)];
      if (e.offsetY >= bodyTop && e.offsetX < labelWidth() && r) {
        if (r.group) { open.has(r.id) ? open.delete(r.id) : open.add(r.id); layout(); return; }
        const i = r.process;
        if (e.offsetX < 24 + Math.min(r.depth, 20) * 10 && m.childAt[i] < m.childAt[i + 1]) { closed.has(i) ? closed.delete(i) : closed.add(i); layout(); return; }
      }
      select(hit(e.offsetX, e.offsetY), false);
    });
    over.addEventListener('dblclick', (e) => { const i = hit(e.offsetX, e.offsetY); if (i !== NONE) { const pad = (m.end[i] - m.start[i]) * 0.05 + 1; view.from = m.start[i] - pad; view.to = m.end[i] + pad; redraw(); remember(); } });
    $('query').addEventListener('input', (e) => search(e.target.value));
    $('mode').addEventListener('change', (e) => { mode = e.target.value; view.top = 0; layout(); remember(); });
    $('fit').addEventListener('click', () => { fit(); redraw(); remember(); });
    addEventListener('hashchange', recall);
    addEventListener('resize', () => { layout(); resize(); });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { colours(); redraw(); });
    addEventListener('keydown', (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) { if (e.key === 'Escape') e.target.blur(); return; }
      const mid = labelWidth() + (width - labelWidth()) / 2;
      const move = {
        w: () => zoom(0.7, mid), s: () => zoom(1.4, mid), a: () => pan(-100), d: () => pan(100),
        f: () => { if (selected === NONE) fit(); else { const pad = (m.end[selected] - m.start[selected]) * 0.05 + 1; view.from = m.start[selected] - pad; view.to = m.end[selected] + pad; } redraw(); remember(); },
        0: () => { fit(); redraw(); remember(); },
        '/': () => $('query').focus(), Escape: () => select(NONE),
        l: () => { mode = mode === 'tree' ? 'lanes' : 'tree'; $('mode').value = mode; view.top = 0; layout(); remember(); },
        ArrowDown: () => step(1), ArrowUp: () => step(-1),
        ArrowLeft: () => selected !== NONE && m.parent[selected] !== NONE && select(m.parent[selected], true),
        ArrowRight: () => selected !== NONE && m.childAt[selected] < m.childAt[selected + 1] && select(m.children[m.childAt[selected]], true),
        PageDown: () => { view.top += height - bodyTop; redraw(); }, PageUp: () => { view.top -= height - bodyTop; redraw(); },
      }[e.key];
      if (move && (e.key.length === 1 || e.target === over || e.target === document.body)) { e.preventDefault(); move(); }
    });
  }
  // step selects the process of the next row, or the next process of the lane.
  function step(d) {
    if (selected === NONE) { select(m.root === NONE ? 0 : m.root, true); return; }
    const r = rows[rowOf(selected)];
    if (r && (r.list || r.group)) {
      const list = r.list || r.group, k = list.indexOf(selected) + d;
      if (k >= 0 && k < list.length) { select(list[k], true); return; }
    }
    for (let k = rowOf(selected) + d; k >= 0 && k < rows.length; k += d) { const n = rows[k]; select(n.process ?? (n.list || n.group)[0], true); return; }
  }

  // loads returns what ran at once and the CPUs in use, as timeline.Load.
  function loads(n) {
    const w = Math.max(m.elapsed, 1) / n, changes = [], whole = new Float64Array(n + 1), cpus = new Float64Array(n);
    const add = (part, whole, from, to, rate) => {
      const a = from / w, b = to / w, f = Math.min(Math.floor(a), n - 1), l = Math.min(Math.floor(b), n - 1);
      if (f === l) { part[f] += rate * (b - a); return; }
      part[f] += rate * (f + 1 - a); part[l] += rate * (b - l);
      whole[f + 1] += rate; whole[l] -= rate;
    };
    const at = new Float64Array(2 * m.n);
    let c = 0;
    for (let i = 0; i < m.n; i++) {
      const from = Math.max(m.start[i], 0), to = Math.min(m.end[i], m.elapsed);
      if (to <= from) continue;
      add(cpus, whole, from, to, (m.user[i] + m.system[i]) / Math.max(m.end[i] - m.start[i], 1));
      at[c++] = from; at[c++] = to;
      changes.push(2 * i, 2 * i + 1);
    }
    const when = (e) => e % 2 ? Math.min(m.end[e >> 1], m.elapsed) : Math.max(m.start[e >> 1], 0);
    const keys = Float64Array.from(changes, when), order = Uint32Array.from(changes.keys());
    order.sort((a, b) => keys[a] - keys[b] || changes[b] % 2 - changes[a] % 2);
    const running = new Float64Array(n), rest = new Float64Array(n + 1), alive = new Uint8Array(m.n), below = new Int32Array(m.n);
    let leaves = 0, last = 0;
    for (const e of order) {
      const i = changes[e] >> 1, p = m.parent[i];
      if (keys[e] > last) { add(running, rest, last, keys[e], leaves); last = keys[e]; }
      if (changes[e] % 2 === 0) {
        alive[i] = 1;
        if (!below[i]) leaves++;
        if (p !== NONE && ++below[p] === 1 && alive[p]) leaves--;
      } else {
        alive[i] = 0;
        if (!below[i]) leaves--;
        if (p !== NONE && --below[p] === 0 && alive[p]) leaves++;
      }
    }
    let most = 0;
    for (const [part, sums] of [[running, rest], [cpus, whole]]) for (let k = 0, level = 0; k < n; k++) { level += sums[k]; part[k] += level; }
    for (const v of running) most = Math.max(most, v);
    return { running, cpus, width: w, most };
  }

  try {
    const begun = performance.now();
    m = decode(await inflate($('data').textContent));
    $('data').remove(); // the memory of its text
    m.failures = [];
    for (let i = 0; i < m.n; i++) if (m.flags[i] & FAILED) m.failures.push(i);
    load = loads(4000);
    colours(); hues(); legend();
    $('app').hidden = m.n === 0;
    $('strip').hidden = m.n > 0;
    wire();
    width = canvas.clientWidth; height = canvas.clientHeight;
    recall();
    resize();
    draw();
    performance.mark('usable');
    document.documentElement.dataset.usable = String(Math.round(performance.now() - begun));
    // What tests ask: which process is drawn at a pixel, and how long frames take.
    window.procspan = { model: m, view, hit, select, search, rows: () => rows, layout, x, time, draw, setMode: (v) => { $('mode').value = mode = v; view.top = 0; layout(); draw(); }, rowOf, ROW, bodyTop, drawn: () => drawn };
  } catch (err) {
    const p = document.createElement('p');
    p.textContent = 'The timeline cannot be drawn: ' + err.message;
    $('problem').append(p);
  }
})();
