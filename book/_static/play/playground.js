/* The two-dimensional playground: what the reader sets, sees and presses. The training itself is
 * in engine.js. */
(function (root) {
  "use strict";

  const { engine, ui } = root.gantutPlay;
  const { h } = ui;
  const { FIELD, REACH, SHOWN } = engine;

  const DATA = { ring: "ring of 8", grid: "grid of 25", line: "line", drawn: "points you draw" };
  const LOSSES = {
    non_saturating: "non-saturating",
    minimax: "saturating",
    wasserstein: "Wasserstein",
    relativistic: "RpGAN",
  };
  const PENALTIES = {
    none: "none",
    r1: "R1",
    r1_r2: "R1 + R2",
    wgan_gp: "gradient penalty",
  };
  const TRAIN = { both: "both", d: "only D", g: "only G" };
  // What a choice of loss brings along. The Wasserstein loss wants a critic that is ahead of G.
  const CUSTOMARY = {
    non_saturating: { penalty: "none", weight: 0.3, rateD: 0.001, rateG: 0.002 },
    minimax: { penalty: "none", weight: 0.3, rateD: 0.001, rateG: 0.002 },
    wasserstein: { penalty: "wgan_gp", weight: 0.1, rateD: 0.004, rateG: 0.001 },
    relativistic: { penalty: "r1_r2", weight: 0.3, rateD: 0.001, rateG: 0.002 },
  };
  const DEFAULTS = {
    data: "ring",
    seed: 0,
    drawn: [[-0.8, -0.4], [0, 0.8], [0.8, -0.4]],
    rules: { train: "both", loss: "non_saturating", ...CUSTOMARY.non_saturating },
  };
  const MOST_POINTS = 40;
  const MOST_STEPS = 20000;
  const ARROWS = 64; // of the generated points, so that the picture can be read

  // --- Links ------------------------------------------------------------------------------------

  const LETTERS = { loss: { non_saturating: "n", minimax: "m", wasserstein: "w", relativistic: "r" },
    penalty: { none: "0", r1: "1", r1_r2: "2", wgan_gp: "g" },
    train: { both: "b", d: "d", g: "g" } };

  function meaning(kind, letter) {
    const found = Object.entries(LETTERS[kind]).find(([, value]) => value === letter);
    if (!found) throw new Error(`${kind} ${letter}`);
    return found[0];
  }

  function number(text, least, most, whole) {
    const value = text === null || text.trim() === "" ? NaN : Number(text);
    if (!(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      throw new Error(`number ${text}`);
    }
    return value;
  }

  /** { data, seed, drawn, run: [{ rules, steps }, ...] } as the settings of a link. */
  function toSettings({ data, seed, drawn, run }) {
    const settings = new URLSearchParams({ v: "1", data, seed: String(seed) });
    if (data === "drawn") {
      settings.set("points", drawn.map(([x, y]) => `${x.toFixed(2)}_${y.toFixed(2)}`).join("~"));
    }
    const parts = run.map(({ rules, steps }) =>
      [
        LETTERS.loss[rules.loss], LETTERS.penalty[rules.penalty], rules.weight, rules.rateD,
        rules.rateG, LETTERS.train[rules.train], steps,
      ].join("_"));
    settings.set("run", parts.join("~"));
    return settings.toString();
  }

  /** The way back; throws where a setting is not what toSettings writes. */
  function fromSettings(settings) {
    if (settings.get("v") !== "1") throw new Error(`version ${settings.get("v")}`);
    const data = settings.get("data");
    if (!Object.hasOwn(DATA, data)) throw new Error(`data ${data}`);
    const seed = number(settings.get("seed"), 0, 9999, true);
    let drawn = DEFAULTS.drawn;
    if (data === "drawn") {
      drawn = (settings.get("points") || "").split("~").map((pair) => {
        const [x, y] = pair.split("_");
        return [number(x, -REACH, REACH), number(y || "", -REACH, REACH)];
      });
      if (drawn.length > MOST_POINTS) throw new Error("points");
    }
    let total = 0;
    const run = (settings.get("run") || "").split("~").map((part) => {
      const [loss, penalty, weight, rateD, rateG, train, steps] = part.split("_");
      total += number(steps || "", 0, MOST_STEPS, true);
      return {
        rules: {
          train: meaning("train", train),
          loss: meaning("loss", loss),
          penalty: meaning("penalty", penalty),
          weight: number(weight, 0, 100),
          rateD: number(rateD, 0, 1),
          rateG: number(rateG, 0, 1),
        },
        steps: Number(steps),
      };
    });
    if (total > MOST_STEPS) throw new Error("steps");
    return { data, seed, drawn, run };
  }

  // --- The widget -------------------------------------------------------------------------------

  class Playground {
    constructor(holder) {
      this.holder = holder;
      this.settings = { data: DEFAULTS.data, seed: DEFAULTS.seed, drawn: DEFAULTS.drawn };
      this.playing = false;
      this.queue = []; // what a link asks for and is not done yet: [{ rules, steps }]
      this.cursor = [0, 0];
      this.stamps = new Map();
      this.build();
      this.setRules(DEFAULTS.rules);
      this.restart();
      ui.onChange(this.canvas, () => this.draw());
      ui.onSettings("playground", (settings) => this.restore(settings));
    }

    build() {
      const button = (text, onclick, extra) => h("button", { type: "button", onclick, ...extra }, text);
      const changed = () => this.rulesChanged();
      const again = () => {
        this.readNetworks();
        this.restart();
      };
      this.canvas = h("canvas", { class: "gp-picture", role: "img" });
      this.history = h("canvas", {
        class: "gp-history",
        role: "img",
        "aria-label": "Modes covered and reverse KL against the step; the figures are given below.",
      });
      this.playButton = button("Play", () => this.toggle(), { class: "gp-main" });
      this.stepButton = button("Step", () => this.single());
      this.train = ui.radios("Train", TRAIN, "both", changed);
      this.data = ui.select(DATA, "ring", again);
      this.loss = ui.select(LOSSES, "non_saturating", () => {
        const customary = CUSTOMARY[this.loss.value];
        for (const name of Object.keys(customary)) this[name].value = customary[name];
        this.rulesChanged();
      });
      this.penalty = ui.select(PENALTIES, "none", changed);
      const box = (least, most, step, onchange) =>
        h("input", { type: "number", min: least, max: most, step, onchange, required: true });
      this.weight = box(0, 100, "any", changed);
      this.rateD = box(0, 1, "any", changed);
      this.rateG = box(0, 1, "any", changed);
      this.seed = box(0, 9999, 1, again);
      this.perPicture = ui.select({ 1: "1", 5: "5", 20: "20" }, "1", () => {});
      this.drawing = h(
        "div",
        { class: "gp-row", hidden: true },
        button("Remove last point", () => this.removePoint()),
        button("Remove all but one", () => this.redraw([this.settings.drawn[0]])),
        h("span", { class: "gp-hint" },
          "Tap or drag in the picture. By keyboard: with the picture in focus, arrow keys move " +
          "the cross, Enter sets a point, Backspace removes the last."),
      );
      this.figures = {};
      const figure = (name, text) => {
        this.figures[name] = h("dd", {}, "–");
        return h("div", {}, h("dt", {}, text), this.figures[name]);
      };
      const key = (style, text) => h("span", {}, h("span", { class: `gp-key ${style}` }), text);
      this.announcer = new ui.Announcer();
      this.holder.append(
        h("div", { class: "gp-columns" },
          h("div", { class: "gp-left" },
            this.canvas,
            h("p", { class: "gp-legend" },
              key("gp-key-real", "data"),
              key("gp-key-fake", "generated"),
              key("gp-key-blue", "D says data"),
              key("gp-key-orange", "D says generated"),
              h("span", {}, "→ where D would push a point"))),
          h("div", { class: "gp-right" },
            h("div", { class: "gp-row" }, this.playButton, this.stepButton,
              button("Restart", () => this.restart())),
            this.train,
            ui.labelled("Data", this.data),
            ui.labelled("Loss", this.loss),
            ui.labelled("Penalty on D", this.penalty),
            ui.labelled("Its weight", this.weight),
            h("details", {}, h("summary", {}, "Rates, seed, speed"),
              ui.labelled("Learning rate of D", this.rateD),
              ui.labelled("Learning rate of G", this.rateG),
              ui.labelled("Seed", this.seed),
              ui.labelled("Steps per picture", this.perPicture)),
            h("dl", { class: "gp-figures" },
              figure("steps", "Step"),
              figure("modes", "Modes covered"),
              figure("kl", "Reverse KL (nats)"),
              figure("quality", "High quality"),
              figure("lossD", "Loss of D"),
              figure("lossG", "Loss of G")))),
        this.drawing,
        this.history,
        ui.linkMaker("playground", () => this.link()),
        this.announcer.element);
      this.canvas.addEventListener("pointerdown", (event) => this.pointer(event));
      this.canvas.addEventListener("pointermove", (event) => {
        if (event.buttons) this.pointer(event);
      });
      this.canvas.addEventListener("keydown", (event) => this.key(event));
      this.canvas.addEventListener("blur", () => this.draw());
      this.canvas.addEventListener("focus", () => this.draw());
    }

    // --- Settings

    setRules(rules) {
      for (const name of Object.keys(rules)) this[name].value = rules[name];
      this.rules = { ...rules };
    }

    /** Takes what the controls say; a number out of range is put back. */
    rulesChanged() {
      for (const name of ["weight", "rateD", "rateG"]) {
        if (!this[name].checkValidity()) this[name].value = this.rules[name];
      }
      this.rules = {
        train: this.train.value,
        loss: this.loss.value,
        penalty: this.penalty.value,
        weight: Number(this.weight.value),
        rateD: Number(this.rateD.value),
        rateG: Number(this.rateG.value),
      };
      this.queue = [];
      this.trainer.rules = this.rules;
      this.draw();
    }

    readNetworks() {
      if (!this.seed.checkValidity()) this.seed.value = this.settings.seed;
      this.settings.data = this.data.value;
      this.settings.seed = Number(this.seed.value);
    }

    /** New networks with the present settings, at step 0. */
    restart(rules) {
      const { data, seed, drawn } = this.settings;
      if (rules) this.setRules(rules);
      this.queue = [];
      this.trainer = new engine.Trainer({ data, drawn, seed, rules: this.rules });
      this.run = [];
      this.trace = [];
      this.data.value = data;
      this.seed.value = seed;
      const shown = new Float64Array(2 * SHOWN);
      this.shown = engine.sampleMixture(this.trainer.mixture, new engine.Random(seed, 5), shown);
      const own = data === "drawn";
      this.drawing.hidden = !own;
      this.canvas.classList.toggle("gp-drawable", own);
      if (own) this.canvas.setAttribute("tabindex", "0");
      else this.canvas.removeAttribute("tabindex");
      this.canvas.setAttribute("aria-label",
        "Data, generated points with arrows, and the discriminator's answer as a coloured ground. " +
        (own ? "Arrow keys move a cross, Enter sets a point of data, Backspace removes the last."
          : "The figures beside it say how many modes are covered."));
      this.count();
      this.draw();
    }

    link() {
      const run = this.run.filter(({ steps }) => steps);
      const last = run[run.length - 1];
      if (!last || !same(last.rules, this.rules)) run.push({ rules: this.rules, steps: 0 });
      return toSettings({ ...this.settings, run });
    }

    restore(settings) {
      let wanted;
      try {
        wanted = fromSettings(settings);
      } catch (error) {
        this.announcer.say(`This link cannot be read (${error.message}).`, true);
        return;
      }
      this.pause();
      const { data, seed, drawn, run } = wanted;
      this.settings = { data, seed, drawn };
      this.restart(run[0].rules);
      this.queue = run.map((part) => ({ ...part }));
      if (this.queue.some(({ steps }) => steps)) this.play();
      else this.replayed();
    }

    /** The run of the link is over: its last rules stay. */
    replayed() {
      this.setRules(this.queue[this.queue.length - 1].rules);
      this.trainer.rules = this.rules;
      this.queue = [];
      this.pause();
    }

    // --- Training

    /** One step by the present rules, kept for the link. */
    advance() {
      const last = this.run[this.run.length - 1];
      if (last && same(last.rules, this.rules)) last.steps += 1;
      else this.run.push({ rules: { ...this.rules }, steps: 1 });
      this.trainer.step();
      if (this.trainer.steps % 10 === 0) this.count();
      const { train } = this.rules;
      const losses = [train === "g" ? 0 : this.trainer.lossD, train === "d" ? 0 : this.trainer.lossG];
      if (!losses.every(Number.isFinite)) {
        this.queue = [];
        this.pause();
        this.announcer.say("The weights have left all bounds: lower a learning rate, restart.", true);
      }
    }

    count() {
      this.coverage = this.trainer.coverage();
      const { modes, reverseKl } = this.coverage;
      this.trace.push([this.trainer.steps, modes, reverseKl]);
    }

    single() {
      this.pause();
      this.queue = [];
      this.advance();
      if (this.trainer.steps % 10) this.count();
      this.draw();
      this.announce(true);
    }

    stepAndDraw() {
      this.advance();
      this.draw();
    }

    toggle() {
      if (this.playing) {
        this.queue = [];
        this.pause();
      } else this.play();
    }

    play() {
      if (this.playing) return;
      this.playing = true;
      this.playButton.textContent = "Pause";
      const frame = () => {
        if (!this.playing) return;
        if (this.queue.length) this.replay();
        else for (let i = 0; i < Number(this.perPicture.value) && this.playing; i++) this.advance();
        this.draw();
        this.announce(false);
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    }

    /** Goes on with the run of a link, as far as it gets in a moment. */
    replay() {
      const end = performance.now() + 40;
      while (this.queue.length && performance.now() < end) {
        const part = this.queue[0];
        if (!same(part.rules, this.rules)) {
          this.setRules(part.rules);
          this.trainer.rules = this.rules;
        }
        if (part.steps > 0) {
          this.advance();
          part.steps -= 1;
        }
        if (part.steps <= 0) {
          if (this.queue.length === 1) this.replayed();
          else this.queue.shift();
        }
      }
    }

    pause() {
      if (!this.playing) return;
      this.playing = false;
      this.playButton.textContent = "Play";
      this.announce(true);
    }

    announce(always) {
      const { modes, numModes } = this.coverage;
      const state = this.queue.length ? "Replaying the link" : this.playing ? "Training" : "Paused";
      this.announcer.say(
        `${state}: step ${this.trainer.steps}, ${modes} of ${numModes} modes covered, ` +
        `reverse KL ${kl(this.coverage.reverseKl)}.`, always);
    }

    // --- Points of the reader's own

    redraw(drawn) {
      this.settings.drawn = drawn;
      this.restart();
    }

    addPoint(x, y) {
      const { drawn } = this.settings;
      const near = drawn.some(([a, b]) => (a - x) ** 2 + (b - y) ** 2 < 0.01);
      if (near || drawn.length >= MOST_POINTS) return;
      this.redraw([...drawn, [Math.round(100 * x) / 100, Math.round(100 * y) / 100]]);
    }

    removePoint() {
      const { drawn } = this.settings;
      if (drawn.length > 1) this.redraw(drawn.slice(0, -1));
    }

    pointer(event) {
      if (this.settings.data !== "drawn") return;
      const box = this.canvas.getBoundingClientRect();
      const x = REACH * ((2 * (event.clientX - box.left)) / box.width - 1);
      const y = REACH * (1 - (2 * (event.clientY - box.top)) / box.height);
      if (Math.max(Math.abs(x), Math.abs(y)) <= 1.5) this.addPoint(x, y);
    }

    key(event) {
      if (this.settings.data !== "drawn") return;
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      if (moves[event.key]) {
        this.cursor = this.cursor.map((value, i) =>
          Math.max(-1.5, Math.min(1.5, Math.round(10 * value + moves[event.key][i]) / 10)));
        this.draw();
      } else if (event.key === "Enter" || event.key === " ") this.addPoint(...this.cursor);
      else if (event.key === "Backspace" || event.key === "Delete") this.removePoint();
      else return;
      this.announcer.say(`Cross at ${this.cursor.join(", ")}; ${this.settings.drawn.length} points.`, true);
      event.preventDefault();
    }

    // --- Drawing

    draw() {
      const colours = ui.colours();
      const { context, width, height } = ui.prepare(this.canvas);
      const { points, arrows, middle } = this.trainer.look();
      const at = (x, y) => [((x / REACH + 1) * width) / 2, ((1 - y / REACH) * height) / 2];
      const probability = this.rules.loss === "minimax" || this.rules.loss === "non_saturating";
      this.drawField(context, width, height, probability ? 0 : middle, probability, colours);
      context.lineWidth = 1;
      this.drawDots(context, this.shown, SHOWN, colours.dataDot, 2, at, null);
      this.drawArrows(context, points, arrows, colours.ink, at);
      this.drawDots(context, points, SHOWN, colours.fakeDot, 2.6, at, colours.rim);
      if (document.activeElement === this.canvas && this.settings.data === "drawn") {
        const [x, y] = at(...this.cursor);
        context.strokeStyle = colours.ink;
        context.lineWidth = 2;
        context.beginPath();
        context.moveTo(x - 9, y);
        context.lineTo(x + 9, y);
        context.moveTo(x, y - 9);
        context.lineTo(x, y + 9);
        context.stroke();
      }
      this.drawHistory(colours);
      this.write();
    }

    /** The ground: D's answer, from "generated" to "data".
     *
     * A critic's level and scale have no meaning, only differences have: its logits are shown
     * against the middle between data and samples, in units of their mean distance from it.
     */
    drawField(context, width, height, middle, probability, colours) {
      if (!this.tile) {
        this.tile = h("canvas", { width: FIELD, height: FIELD });
        this.pixels = this.tile.getContext("2d").createImageData(FIELD, FIELD);
      }
      const logits = this.trainer.field();
      let unit = 1;
      if (!probability) {
        unit = 1e-9;
        for (const logit of logits) unit += Math.abs(logit - middle) / logits.length;
      }
      const { data } = this.pixels;
      for (let k = 0; k < logits.length; k++) {
        const shade = 2 * engine.sigmoid((logits[k] - middle) / unit) - 1;
        const hue = shade > 0 ? colours.real : colours.fake;
        const share = Math.sqrt(Math.abs(shade));
        for (let c = 0; c < 3; c++) {
          data[4 * k + c] = colours.ground[c] + share * (hue[c] - colours.ground[c]);
        }
        data[4 * k + 3] = 255;
      }
      this.tile.getContext("2d").putImageData(this.pixels, 0, 0);
      context.imageSmoothingEnabled = true;
      context.drawImage(this.tile, 0, 0, width, height);
    }

    /** A dot is drawn once and then copied, which is faster than n circles. */
    stamp(fill, radius, rim) {
      const ratio = Math.min(root.devicePixelRatio || 1, 2);
      const name = [fill, radius, rim, ratio].join();
      if (!this.stamps.has(name)) {
        const side = Math.ceil(radius) + 1;
        const size = 2 * side * ratio;
        const image = h("canvas", { width: size, height: size });
        const pen = image.getContext("2d");
        pen.scale(ratio, ratio);
        pen.arc(side, side, radius, 0, 2 * Math.PI);
        pen.fillStyle = fill;
        pen.fill();
        if (rim) {
          pen.strokeStyle = rim;
          pen.lineWidth = 0.6;
          pen.stroke();
        }
        this.stamps.set(name, { image, side });
      }
      return this.stamps.get(name);
    }

    drawDots(context, points, n, fill, radius, at, rim) {
      const { image, side } = this.stamp(fill, radius, rim);
      for (let i = 0; i < n; i++) {
        const [x, y] = at(points[2 * i], points[2 * i + 1]);
        context.drawImage(image, x - side, y - side, 2 * side, 2 * side);
      }
    }

    /** Lengths grow with the root of the slope, so that weak ones can be seen beside strong ones. */
    drawArrows(context, points, arrows, ink, at) {
      context.strokeStyle = ink;
      context.beginPath();
      for (let i = 0; i < ARROWS; i++) {
        const [dx, dy] = [arrows[2 * i], arrows[2 * i + 1]];
        const size = Math.sqrt(dx * dx + dy * dy);
        if (!(size > 0)) continue;
        const length = Math.min(0.35, 0.3 * Math.sqrt(size)) / size;
        const [x, y] = [points[2 * i], points[2 * i + 1]];
        ui.arrow(context, at(x, y), at(x + length * dx, y + length * dy), 4);
      }
      context.stroke();
    }

    /** Modes covered (left axis) and reverse KL (right axis, nats) against the step. */
    drawHistory(colours) {
      const { context, width, height } = ui.prepare(this.history);
      const [left, right, top, bottom] = [34, width - 34, 20, height - 30];
      const wide = width > 480;
      const last = Math.max(100, this.trainer.steps);
      const total = this.coverage.numModes;
      const highest = Math.max(Math.log(total), 0.1); // all on one mode
      const x = (step) => left + ((right - left) * step) / last;
      const y = (share) => bottom - (bottom - top) * share;
      context.strokeStyle = colours.faint;
      context.strokeRect(left, top, right - left, bottom - top);
      context.fillStyle = colours.ink;
      context.textAlign = "center";
      context.fillText("step", (left + right) / 2, height - 4);
      for (const share of [0, 0.5, 1]) {
        context.fillText(String(Math.round(last * share)), x(last * share), bottom + 14);
      }
      context.fillStyle = colours.line;
      context.textAlign = "left";
      context.fillText(wide ? "modes covered (left, full line)" : "modes covered", left, 13);
      context.textAlign = "right";
      context.fillText("0", left - 5, bottom + 4);
      context.fillText(String(total), left - 5, top + 4);
      context.fillStyle = colours.second;
      context.fillText(wide ? "reverse KL in nats (right, dashed)" : "reverse KL, dashed", right, 13);
      context.textAlign = "left";
      context.fillText("0", right + 5, bottom + 4);
      context.fillText(highest.toFixed(1), right + 5, top + 4);
      const curve = (column, scale, colour, dash) => {
        context.strokeStyle = colour;
        context.lineWidth = 1.5;
        context.setLineDash(dash);
        context.beginPath();
        let pen = false;
        for (const row of this.trace) {
          const value = row[column] / scale;
          if (Number.isNaN(value)) pen = false;
          else {
            if (pen) context.lineTo(x(row[0]), y(Math.min(1, value)));
            else context.moveTo(x(row[0]), y(Math.min(1, value)));
            pen = true;
          }
        }
        context.stroke();
        context.setLineDash([]);
      };
      curve(1, total, colours.line, []);
      curve(2, highest, colours.second, [5, 3]);
    }

    write() {
      const { modes, numModes, highQuality, reverseKl } = this.coverage;
      const three = (value) => (Number.isFinite(value) ? value.toFixed(3) : "–");
      this.figures.steps.textContent = String(this.trainer.steps);
      this.figures.modes.textContent = `${modes} of ${numModes}`;
      this.figures.kl.textContent = kl(reverseKl);
      this.figures.quality.textContent = `${(100 * highQuality).toFixed(1)} %`;
      this.figures.lossD.textContent = three(this.trainer.lossD);
      this.figures.lossG.textContent = three(this.trainer.lossG);
    }
  }

  function kl(value) {
    return Number.isFinite(value) ? value.toFixed(3) : "none counted";
  }

  function same(a, b) {
    return Object.keys(a).every((name) => a[name] === b[name]);
  }

  const holder = document.getElementById("playground");
  root.gantutPlay.links = { toSettings, fromSettings };
  if (holder) root.gantutPlay.playground = new Playground(holder);
})(self);
