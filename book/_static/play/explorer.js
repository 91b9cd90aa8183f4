/* The latent explorer: a generator that was trained by a recipe of the package, run by TensorFlow.js.
 *
 * Weights and training digits come from explorer-data.js, which tools/export_generator.py makes.
 */
(function (root) {
  "use strict";

  // --- What was exported --------------------------------------------------------------------------

  function fromBase64(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }

  /** Half-precision numbers (IEEE 754 binary16, the lower byte first) as floats. */
  function halfToFloat(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Float32Array.from({ length: bytes.length / 2 }, (_, i) => {
      const half = view.getUint16(2 * i, true);
      const [sign, exponent, fraction] = [half & 0x8000 ? -1 : 1, (half >> 10) & 31, half & 1023];
      if (exponent === 31) return fraction ? NaN : sign * Infinity;
      if (exponent === 0) return sign * fraction * 2 ** -24;
      return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
    });
  }

  /** Undoes zlib, by what the browser (or node) brings. */
  async function inflate(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /** Two pixels a byte as pixels in [-1, 1]. */
  function toPixels(pairs) {
    const pixels = new Float32Array(2 * pairs.length);
    for (let i = 0; i < pairs.length; i++) {
      pixels[2 * i] = (pairs[i] >> 4) / 7.5 - 1;
      pixels[2 * i + 1] = (pairs[i] & 15) / 7.5 - 1;
    }
    return pixels;
  }

  // --- Latent space -------------------------------------------------------------------------------

  const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

  /** The latent vector with two of its coordinates, along directions of length 1, put to (u, v). */
  function place(z, across, up, u, v) {
    const [du, dv] = [u - dot(z, across), v - dot(z, up)];
    return z.map((x, i) => x + du * across[i] + dv * up[i]);
  }

  /** A share t of the way from one vector to another along a great circle, lengths evenly. */
  function slerp(a, b, t) {
    const [na, nb] = [Math.hypot(...a), Math.hypot(...b)];
    const angle = Math.acos(Math.min(1, Math.max(-1, dot(a, b) / (na * nb))));
    const [first, second] = angle < 1e-6 ? [1 - t, t]
      : [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
    const length = (1 - t) * na + t * nb;
    return a.map((x, i) => length * ((first * x) / na + (second * b[i]) / nb));
  }

  /** The nearest of several digits to a picture: { index, distance }, by Euclid over the pixels. */
  function nearest(picture, digits) {
    const size = picture.length;
    let [index, least] = [-1, Infinity];
    for (let start = 0, i = 0; start < digits.length; start += size, i++) {
      let sum = 0;
      for (let k = 0; k < size && sum < least; k += 1) {
        const difference = picture[k] - digits[start + k];
        sum += difference * difference;
      }
      if (sum < least) [index, least] = [i, sum];
    }
    return { index, distance: Math.sqrt(least) };
  }

  // --- The generator ------------------------------------------------------------------------------

  class Generator {
    /** tf: TensorFlow.js with a backend that is ready; data: what was exported. */
    constructor(tf, data) {
      Object.assign(this, { tf, data });
      const numbers = halfToFloat(fromBase64(data.weights));
      this.weights = {};
      let start = 0;
      data.paths.forEach((path, i) => {
        const size = data.shapes[i].reduce((a, b) => a * b, 1);
        this.weights[path] = tf.tensor(numbers.slice(start, start + size), data.shapes[i]);
        start += size;
      });
      this.layers = data.paths.filter((path) => /^dense_\d+\//.test(path)).length;
    }

    /** Pictures of n latent vectors, n * side * side pixels; shares[i] are those of its classes. */
    pictures(latents, shares) {
      const { tf, weights: w, data } = this;
      return tf.tidy(() => {
        let x = tf.concat([tf.tensor2d(latents), tf.tensor2d(shares)], 1);
        for (let i = 1; i <= this.layers; i++) {
          const norm = (name) => w[`batch_norm_${i}/${name}`];
          x = tf.matMul(x, w[`dense_${i}/kernel`]);
          x = tf.batchNorm2d(x, norm("moving_mean"), norm("moving_variance"), norm("beta"),
            norm("gamma"), data.epsilon);
          x = tf.leakyRelu(x, data.slope);
        }
        x = tf.tanh(tf.add(tf.matMul(x, w["pixels/kernel"]), w["pixels/bias"]));
        return x.dataSync();
      });
    }
  }

  const explorer = { fromBase64, halfToFloat, inflate, toPixels, place, slerp, nearest, Generator };
  if (typeof module === "object" && module.exports) {
    module.exports = explorer;
    return;
  }

  // --- The widget ---------------------------------------------------------------------------------

  const { engine, ui } = root.gantutPlay;
  const { h } = ui;
  const REACH = 3.5; // the pad's, in standard deviations
  const MAP = 7; // pictures in a row of the pad
  const WAY = 9; // pictures on the way from one digit to another
  const MOST_DRAWS = 1000000;

  const clamp = (x, least, most) => Math.min(most, Math.max(least, x));
  const oneHot = (label, classes) => Array.from({ length: classes }, (_, i) => Number(i === label));

  /** A number of a link; throws where it is none, or out of bounds. */
  function number(text, least, most, whole) {
    const value = text ? Number(text) : NaN;
    if (!(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      throw new Error(`number ${text}`);
    }
    return value;
  }

  class Explorer {
    constructor(holder, generator, digits) {
      Object.assign(this, { generator, digits, data: generator.data, walking: false });
      const { classes, shares, medians, labels } = this.data;
      const changed = () => this.changed();
      const button = (text, onclick) => h("button", { type: "button", onclick }, text);
      const slider = (name) => h("input", { type: "range", min: -REACH, max: REACH, step: 0.01,
        "aria-label": name, oninput: changed });
      this.pad = h("canvas", { class: "gp-picture gp-drawable gp-drag", role: "img", tabindex: 0,
        "aria-label": "A map of a plane in latent space. Arrow keys, a finger or the mouse move the " +
        "place whose picture is shown; so do the two sliders below." });
      this.picture = h("canvas", { class: "gp-picture", role: "img",
        "aria-label": "The generated picture." });
      this.neighbour = h("canvas", { class: "gp-picture", role: "img",
        "aria-label": "The nearest training digit; which one it is stands below." });
      this.strip = h("canvas", { class: "gp-picture gp-strip", role: "img",
        "aria-label": `${WAY} pictures on the way from the first digit to the second.` });
      const names = Object.fromEntries(Array.from({ length: classes }, (_, i) => [i, String(i)]));
      this.label = ui.radios("Digit asked for", names, "4", changed);
      const directions = Object.fromEntries(shares.map((share, i) =>
        [i, `direction ${i + 1} (${(100 * share).toFixed(0)} %)`]));
      this.axes = [["Left to right", 0], ["Down to up", 1]].map(([name, i]) => ({
        name,
        direction: ui.select(directions, String(i), () => this.turned(i)),
        place: slider(`${name}: place`),
      }));
      this.t = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, class: "gp-wide-range",
        "aria-label": "Share of the way", oninput: () => this.walked() });
      this.asked = h("p", { class: "gp-caption" });
      this.found = h("p", { class: "gp-caption" });
      this.distance = h("dd", {});
      this.announcer = new ui.Announcer();
      const count = labels.length.toLocaleString("en");
      holder.append(
        h("div", { class: "gp-columns" },
          h("div", { class: "gp-left" },
            h("div", { class: "gp-pair" },
              h("div", {}, this.picture, this.asked),
              h("div", {}, this.neighbour, this.found)),
            h("dl", { class: "gp-figures gp-wide" },
              h("div", {}, h("dt", {}, "Distance of the two"), this.distance)),
            this.label,
            h("div", { class: "gp-row" },
              button("Another draw", () => this.draw((this.seed + 1) % MOST_DRAWS)),
              button("To the middle", () => this.move(0, 0)))),
          h("div", { class: "gp-left" }, this.pad,
            ...this.axes.map((axis) => h("div", { class: "gp-axis" },
              ui.labelled(axis.name, axis.direction), axis.place)))),
        h("p", { class: "gp-title" }, "From one digit to another"),
        this.strip, this.t,
        h("div", { class: "gp-row" },
          button("Map's digit as the first", () => this.keep("first")),
          button("Map's digit as the second", () => this.keep("second"))),
        h("p", { class: "gp-hint" }, `The nearest of the first ${count} training digits is shown. ` +
          `Half of the generator's samples lie within ${medians.samples_shipped.toFixed(1)} of one of ` +
          `these, half of MNIST's test digits within ${medians.test_shipped.toFixed(1)}.`),
        ui.linkMaker("explorer", () => this.link()),
        this.announcer.element);
      [this.first, this.second] = [4, 9].map((label) => this.start(label, 1));
      this.restart(this.first);
      this.listen();
      this.render();
      this.renderWay();
      ui.onChange(this.pad, () => this.paint());
      ui.onSettings("explorer", (settings) => this.restore(settings));
    }

    // A place: { label, seed, directions: [i, j], at: [u, v] }.

    /** The latent vector of a draw's number. */
    drawn(seed) {
      return Array.from(new engine.Random(seed, 7).fillNormal(new Float64Array(this.data.latent)));
    }

    /** The place of a draw itself. */
    start(label, seed, directions = [0, 1]) {
      const z = this.drawn(seed);
      const at = directions.map((i) => clamp(dot(z, this.data.directions[i]), -REACH, REACH));
      return { label, seed, directions, at: at.map((x) => Number(x.toFixed(2))) };
    }

    /** Where the map's mark is. */
    here() {
      return { label: Number(this.label.value), seed: this.seed,
        directions: this.axes.map(({ direction }) => Number(direction.value)),
        at: this.axes.map((axis) => Number(axis.place.value)) };
    }

    vector({ seed, directions, at }) {
      const [across, up] = directions.map((i) => this.data.directions[i]);
      return place(this.drawn(seed), across, up, ...at);
    }

    /** Sets the controls. */
    restart({ label, seed, directions, at }) {
      this.label.value = String(label);
      this.seed = seed;
      this.directions = directions;
      this.axes.forEach((axis, i) => {
        axis.direction.value = String(directions[i]);
        axis.place.value = at[i];
      });
    }

    listen() {
      const move = (event) => {
        const area = this.pad.getBoundingClientRect();
        const share = [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height];
        this.move(REACH * (2 * share[0] - 1), REACH * (1 - 2 * share[1]));
      };
      this.pad.addEventListener("pointerdown", (event) => {
        this.pad.setPointerCapture(event.pointerId);
        move(event);
      });
      this.pad.addEventListener("pointermove", (event) => {
        if (event.buttons) move(event);
      });
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      this.pad.addEventListener("keydown", (event) => {
        if (!steps[event.key]) return;
        event.preventDefault();
        const size = event.shiftKey ? 1 : 0.25;
        this.move(...this.here().at.map((x, i) => x + size * steps[event.key][i]));
      });
    }

    move(...at) {
      this.axes.forEach((axis, i) => {
        axis.place.value = at[i];
      });
      this.changed();
    }

    draw(seed) {
      this.restart(this.start(Number(this.label.value), seed, this.directions));
      this.changed();
    }

    /** Another direction was chosen for an axis; the mark goes to where the draw lies. */
    turned(axis) {
      const { label, seed, directions } = this.here();
      // A plane needs two: the other axis takes the direction that became free.
      if (directions[0] === directions[1]) directions[1 - axis] = this.directions[axis];
      this.restart(this.start(label, seed, directions));
      this.changed();
    }

    changed() {
      this.walking = false;
      this.render();
      this.say();
    }

    walked() {
      this.walking = true;
      this.render();
      this.say();
    }

    say() {
      this.announcer.settle(`${this.asked.textContent}. Beside it: ${this.found.textContent}, ` +
        `distance ${this.distance.textContent}.`);
    }

    keep(which) {
      this[which] = this.here();
      this.t.value = which === "first" ? 0 : 1;
      this.renderWay();
      this.walked();
    }

    /** The latent vector and the shares of the classes, a share t of the way. */
    between(t) {
      const [a, b] = [this.first, this.second];
      const { classes } = this.data;
      const shares = Array(classes).fill(0);
      shares[a.label] += 1 - t;
      shares[b.label] += t;
      return [slerp(this.vector(a), this.vector(b), t), shares];
    }

    /** Computes what is shown, and paints it; the map only if it has become another one. */
    render() {
      const { classes, labels } = this.data;
      const here = this.here();
      const { label, seed, directions } = here;
      const map = JSON.stringify([label, seed, directions]);
      if (map !== this.mapped) {
        this.mapped = map;
        const places = [];
        for (let k = 0; k < MAP * MAP; k++) {
          const at = [k % MAP, MAP - 1 - Math.floor(k / MAP)];
          places.push({ ...here, at: at.map((i) => REACH * ((2 * i + 1) / MAP - 1)) });
        }
        const latents = places.map((one) => this.vector(one));
        const shares = places.map(() => oneHot(label, classes));
        this.mapTile = this.tile(this.generator.pictures(latents, shares), MAP);
      }
      const t = Number(this.t.value);
      const [z, shares] = this.walking ? this.between(t) : [this.vector(here), oneHot(label, classes)];
      this.pixels = this.generator.pictures([z], [shares]);
      const { index, distance } = nearest(this.pixels, this.digits);
      const size = this.pixels.length;
      this.pictureTile = this.tile(this.pixels, 1);
      this.neighbourTile = this.tile(this.digits.subarray(index * size, (index + 1) * size), 1);
      this.asked.textContent = this.walking
        ? `generated, ${Math.round(100 * t)} % of the way from ${this.first.label} to ${this.second.label}`
        : `generated, asked for: ${label}`;
      this.found.textContent = `training digit no. ${(index + 1).toLocaleString("en")}: ${labels[index]}`;
      this.distance.textContent = distance.toFixed(2);
      this.paint();
    }

    renderWay() {
      const points = Array.from({ length: WAY }, (_, i) => this.between(i / (WAY - 1)));
      const pictures = this.generator.pictures(points.map(([z]) => z), points.map(([, y]) => y));
      this.wayTile = this.tile(pictures, WAY);
      this.paint();
    }

    link() {
      const settings = new URLSearchParams({ v: "1" });
      for (const [name, place] of [["at", this.here()], ["first", this.first], ["second", this.second]]) {
        const { label, seed, directions, at } = place;
        settings.set(name, [label, seed, ...directions, ...at].join("_"));
      }
      if (this.walking) settings.set("t", this.t.value);
      return settings.toString();
    }

    restore(settings) {
      const read = (name) => {
        const parts = (settings.get(name) || "").split("_");
        const last = this.data.directions.length - 1;
        const [label, seed, i, j] = [this.data.classes - 1, MOST_DRAWS - 1, last, last]
          .map((most, k) => number(parts[k], 0, most, true));
        if (i === j || parts.length !== 6) throw new Error(name);
        const at = parts.slice(4).map((text) => number(text, -REACH, REACH));
        return { label, seed, directions: [i, j], at };
      };
      try {
        if (settings.get("v") !== "1") throw new Error("version");
        const [place, first, second] = ["at", "first", "second"].map(read);
        const t = settings.has("t") ? number(settings.get("t"), 0, 1) : null;
        Object.assign(this, { first, second });
        this.restart(place);
        this.t.value = t || 0;
        this.renderWay();
        if (t === null) this.changed();
        else this.walked();
      } catch {
        this.announcer.say("This link cannot be read.", true);
      }
    }

    /** Pictures side by side, so many in a row, as a small canvas. */
    tile(pixels, columns) {
      const { side } = this.data;
      const rows = pixels.length / (side * side * columns);
      const canvas = h("canvas", { width: columns * side, height: rows * side });
      const image = canvas.getContext("2d").createImageData(canvas.width, canvas.height);
      for (let i = 0; i < pixels.length; i++) {
        const [cell, pixel] = [Math.floor(i / (side * side)), i % (side * side)];
        const x = (cell % columns) * side + (pixel % side);
        const y = Math.floor(cell / columns) * side + Math.floor(pixel / side);
        const at = 4 * (y * canvas.width + x);
        image.data.fill(Math.round(127.5 * (pixels[i] + 1)), at, at + 3);
        image.data[at + 3] = 255;
      }
      canvas.getContext("2d").putImageData(image, 0, 0);
      return canvas;
    }

    paint() {
      const show = (canvas, tile) => {
        const { context, width, height } = ui.prepare(canvas);
        context.imageSmoothingEnabled = canvas === this.pad;
        context.drawImage(tile, 0, 0, width, height);
        return { context, width, height };
      };
      if (!this.wayTile) return; // the first pictures are not all there yet
      show(this.picture, this.pictureTile);
      show(this.neighbour, this.neighbourTile);
      const mark = ({ context }, x, y) => {
        for (const [colour, width] of [["#14181d", 5], ["#ffb27a", 2.5]]) {
          context.strokeStyle = colour;
          context.lineWidth = width;
          context.beginPath();
          context.arc(x, y, 9, 0, 2 * Math.PI);
          context.stroke();
        }
      };
      const pad = show(this.pad, this.mapTile);
      pad.context.globalAlpha = this.walking ? 0.4 : 1;
      const [u, v] = this.here().at;
      mark(pad, ((u / REACH + 1) * pad.width) / 2, ((1 - v / REACH) * pad.height) / 2);
      const strip = show(this.strip, this.wayTile);
      if (this.walking) {
        const cell = strip.width / WAY;
        mark(strip, cell / 2 + Number(this.t.value) * (strip.width - cell), strip.height / 2);
      }
    }
  }

  root.gantutPlay.latent = explorer;
  if (document.getElementById("explorer")) {
    ui.opener("explorer", "Open the explorer (loads 1.5 MB)",
      ["../tfjs/tf-core.es2017.min.js", "../tfjs/tf-backend-cpu.es2017.min.js", "explorer-data.js"],
      async (holder) => {
        const { tf, gantutPlay } = root;
        await tf.setBackend("cpu"); // others round to half precision on some phones
        await tf.ready();
        const generator = new Generator(tf, gantutPlay.explorerData);
        const digits = toPixels(await inflate(fromBase64(gantutPlay.explorerData.digits)));
        gantutPlay.explorer = new Explorer(holder, generator, digits);
      });
  }
})(typeof self === "object" ? self : this);
