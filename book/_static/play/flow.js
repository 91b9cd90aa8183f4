/* The same points in the plane learned by a GAN and by flow matching, side by side: the flow's
 * network and its paths, and the widget. tests/browser compares the loss with gantut's.
 *
 * Flow matching (Lipman et al. 2023): a network v(x, t) learns the velocity x1 - x0 of straight
 * lines from noise x0 to data x1, at the place x = (1 - t) x0 + t x1. A sample follows v from t = 0
 * to 1, in some number of steps of equal length (Euler).
 */
(function (root) {
  "use strict";

  const engine = typeof require === "function" ? require("./engine.js") : root.gantutPlay.engine;
  const { Adam, BATCH, COUNTED, Network, Random, SHOWN } = engine;
  const RATE = 0.002;
  const SLOPE = 0.2;

  /** The mean of |v(x, t) - (x1 - x0)|^2 over n rows and, in v.gradient, its derivative. */
  function flowLoss(v, x0, x1, t, n) {
    const x = new Float64Array(3 * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < 2; j++) x[3 * i + j] = (1 - t[i]) * x0[2 * i + j] + t[i] * x1[2 * i + j];
      x[3 * i + 2] = t[i];
    }
    const out = v.forward(x, n);
    const byOut = new Float64Array(2 * n);
    let value = 0;
    for (let k = 0; k < 2 * n; k++) {
      const error = out[k] - (x1[k] - x0[k]);
      value += (error * error) / n;
      byOut[k] = (2 * error) / n;
    }
    v.backward(n, byOut);
    v.weightGradient(n, null, null);
    return value;
  }

  /** The places of n points at the times 0, 1 / steps, ... 1: the first are the noise x0. */
  function paths(v, x0, n, steps) {
    const places = [x0.slice(0, 2 * n)];
    const x = new Float64Array(3 * n);
    for (let s = 0; s < steps; s++) {
      const now = places[s];
      for (let i = 0; i < n; i++) {
        x[3 * i] = now[2 * i];
        x[3 * i + 1] = now[2 * i + 1];
        x[3 * i + 2] = s / steps;
      }
      const out = v.forward(x, n);
      places.push(now.map((value, k) => value + out[k] / steps));
    }
    return places;
  }

  /** Flow matching in the plane, with networks, batches and Adam as the GAN's have them. */
  class FlowTrainer {
    constructor({ data, drawn, seed }) {
      this.mixture = engine.mixture(data, drawn);
      this.v = new Network([3, 32, 32, 32, 2], SLOPE, COUNTED);
      this.v.initialise(new Random(seed, 11));
      this.random = new Random(seed, 12);
      this.optimizer = new Adam(this.v.values.length, 0.9, 0.999);
      this.fixed = new Random(seed, 13).fillNormal(new Float64Array(2 * COUNTED));
      this.steps = 0;
      this.loss = NaN;
    }

    step() {
      const x1 = engine.sampleMixture(this.mixture, this.random, new Float64Array(2 * BATCH));
      const x0 = this.random.fillNormal(new Float64Array(2 * BATCH));
      const t = new Float64Array(BATCH).map(() => this.random.uniform());
      this.loss = flowLoss(this.v, x0, x1, t, BATCH);
      this.optimizer.step(this.v.values, this.v.gradient, RATE);
      this.steps += 1;
    }

    paths(n, steps) {
      return paths(this.v, this.fixed, n, steps);
    }

    coverage(steps) {
      return engine.modeCoverage(this.paths(COUNTED, steps)[steps], COUNTED, this.mixture);
    }
  }

  const flow = { FlowTrainer, flowLoss, paths };
  if (typeof module === "object" && module.exports) {
    module.exports = flow;
    return;
  }

  // --- The widget -------------------------------------------------------------------------------

  const { ui } = root.gantutPlay;
  const { h } = ui;
  const DATA = { ring: "ring of 8", grid: "grid of 25", line: "line" };
  const RULES = { train: "both", loss: "relativistic", penalty: "r1_r2", weight: 0.3, rateD: 0.001,
    rateG: 0.002 };
  const PATHS = 48; // of the points, so that the picture can be read
  const REACH = 2.4; // noise reaches further than the data
  const MOST_STEPS = 20000;

  class SideBySide {
    constructor(holder) {
      const button = (text, onclick, extra) => h("button", { type: "button", onclick, ...extra }, text);
      const again = () => this.restart();
      this.target = 0; // the step at which a link's run ends
      this.playing = false;
      this.stamps = 0;
      this.data = ui.select(DATA, "ring", again);
      this.seed = h("input", { type: "number", min: 0, max: 9999, step: 1, value: 0, required: true,
        onchange: again });
      this.passes = ui.select({ 1: "1", 2: "2", 4: "4", 8: "8", 32: "32" }, "8", () => this.draw());
      this.playButton = button("Play", () => (this.playing ? this.pause() : this.play(MOST_STEPS)),
        { class: "gp-main" });
      this.figures = {};
      const row = (name, text) => {
        const cells = ["gan", "flow"].map((side) => {
          this.figures[`${side}-${name}`] = h("td", {}, "–");
          return this.figures[`${side}-${name}`];
        });
        return h("tr", {}, h("th", { scope: "row" }, text), ...cells);
      };
      const side = (name, text) => {
        this[name] = h("canvas", { class: "gp-picture", role: "img", "aria-label":
          `${text}: lines from the noise to the generated points, and the data; the table has figures.` });
        return h("div", { class: "gp-left" }, h("p", {}, h("strong", {}, text)), this[name]);
      };
      this.announcer = new ui.Announcer();
      holder.append(
        h("div", { class: "gp-row" }, this.playButton, button("100 steps", () => this.advance(100)),
          button("Restart", again)),
        ui.labelled("Data", this.data),
        ui.labelled("Steps of the flow", this.passes),
        ui.labelled("Seed", this.seed),
        h("div", { class: "gp-columns" }, side("gan", "GAN"), side("flow", "Flow matching")),
        h("table", { class: "gp-table" },
          h("caption", {}, "After ", (this.stepText = h("span", {}, "0")), " training steps"),
          h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, "GAN"),
            h("th", { scope: "col" }, "flow"))),
          h("tbody", {}, row("passes", "Network passes per sample"), row("modes", "Modes covered"),
            row("kl", "Reverse KL (nats)"), row("quality", "High quality"))),
        ui.linkMaker("sides", () => this.link()),
        this.announcer.element);
      this.restart();
      ui.onChange(this.gan, () => this.draw());
      ui.onSettings("sides", (settings) => this.restore(settings));
    }

    restart() {
      if (!this.seed.checkValidity()) this.seed.value = 0;
      const settings = { data: this.data.value, seed: Number(this.seed.value) };
      this.pause();
      this.trainers = {
        gan: new engine.Trainer({ ...settings, rules: RULES }),
        flow: new FlowTrainer(settings),
      };
      this.shown = engine.sampleMixture(this.trainers.flow.mixture, new Random(settings.seed, 5),
        new Float64Array(2 * SHOWN));
      this.draw();
    }

    advance(count) {
      for (let i = 0; i < count; i++) {
        this.trainers.gan.step();
        this.trainers.flow.step();
      }
      this.draw();
    }

    /** Trains until a step, a few steps a picture. */
    play(target) {
      this.playing = true;
      this.playButton.textContent = "Pause";
      const run = (this.stamps += 1); // a later run ends this one
      const frame = () => {
        if (!this.playing || run !== this.stamps) return;
        const left = target - this.trainers.flow.steps;
        this.advance(Math.min(5, left));
        if (left > 5) requestAnimationFrame(frame);
        else this.pause();
      };
      requestAnimationFrame(frame);
    }

    pause() {
      if (this.playing) {
        const { gan, flow } = this.covered;
        this.announcer.say(`Step ${this.trainers.flow.steps}: the GAN covers ${gan.modes} of ` +
          `${gan.numModes} modes, the flow ${flow.modes}.`, true);
      }
      this.playing = false;
      this.playButton.textContent = "Play";
    }

    link() {
      return new URLSearchParams({ v: "1", data: this.data.value, seed: this.seed.value,
        passes: this.passes.value, steps: String(this.trainers.flow.steps) }).toString();
    }

    restore(settings) {
      const [data, passes] = [settings.get("data"), settings.get("passes")];
      const [seed, steps] = ["seed", "steps"].map((name) => Number(settings.get(name) || NaN));
      const whole = (value, most) => Number.isInteger(value) && value >= 0 && value <= most;
      if (settings.get("v") !== "1" || !Object.hasOwn(DATA, data) || !whole(seed, 9999) ||
          !whole(steps, MOST_STEPS) || ![...this.passes.options].some((o) => o.value === passes)) {
        this.announcer.say("This link cannot be read.", true);
        return;
      }
      [this.data.value, this.passes.value, this.seed.value] = [data, passes, seed];
      this.restart();
      if (steps) this.play(steps);
    }

    draw() {
      const passes = Number(this.passes.value);
      const { gan, flow } = this.trainers;
      const noise = gan.fixed.slice(0, 2 * SHOWN);
      this.covered = { gan: gan.coverage(), flow: flow.coverage(passes) };
      this.picture(this.gan, [noise, gan.g.forward(noise, SHOWN).slice(0, 2 * SHOWN)]);
      this.picture(this.flow, flow.paths(SHOWN, passes));
      this.stepText.textContent = String(flow.steps);
      for (const [side, found] of Object.entries(this.covered)) {
        const { reverseKl } = found;
        this.figures[`${side}-passes`].textContent = side === "gan" ? "1" : String(passes);
        this.figures[`${side}-modes`].textContent = `${found.modes} of ${found.numModes}`;
        this.figures[`${side}-kl`].textContent = Number.isNaN(reverseKl) ? "–" : reverseKl.toFixed(2);
        this.figures[`${side}-quality`].textContent = `${(100 * found.highQuality).toFixed(0)} %`;
      }
    }

    /** The data, the ends of the paths, and some paths from the noise on. */
    picture(canvas, places) {
      const colours = ui.colours();
      const { context, width, height } = ui.prepare(canvas);
      const at = (points, i) => [
        ((points[2 * i] / REACH + 1) * width) / 2,
        ((1 - points[2 * i + 1] / REACH) * height) / 2,
      ];
      const dots = (points, fill, radius) => {
        context.fillStyle = fill;
        for (let i = 0; i < SHOWN; i++) {
          context.beginPath();
          context.arc(...at(points, i), radius, 0, 2 * Math.PI);
          context.fill();
        }
      };
      context.strokeStyle = colours.faint;
      context.lineWidth = 1;
      context.beginPath();
      for (let i = 0; i < PATHS; i++) {
        context.moveTo(...at(places[0], i));
        for (const points of places.slice(1)) context.lineTo(...at(points, i));
      }
      context.stroke();
      dots(this.shown, colours.dataDot, 1.6);
      dots(places[places.length - 1], colours.fakeDot, 1.8);
    }
  }

  const holder = document.getElementById("sides");
  root.gantutPlay.flow = flow;
  if (holder) root.gantutPlay.sides = new SideBySide(holder);
})(typeof self === "object" ? self : this);
