/* Orbits of the Dirac-GAN: the games and the update rules of gantut.dynamics, and a widget that
 * draws them. tests/browser compares the numbers with gantut.dynamics.
 *
 * The data is the number 0, the generator makes the number theta, the discriminator's logit is
 * -psi * x (Mescheder et al. 2018, section 2). A field gives (v_theta, v_psi), the direction in
 * which each player moves.
 */
(function (root) {
  "use strict";

  const logistic = (t) => (t >= 0 ? 1 / (1 + Math.exp(-t)) : Math.exp(t) / (1 + Math.exp(t)));
  const slope = (t) => logistic(-t); // f'(t) for f(t) = log sigmoid(t)
  const curvature = (t) => -logistic(t) * logistic(-t);

  // The mean over normal noise, by the trapezoidal rule: exact to rounding for so smooth a function.
  const NODES = [];
  for (let k = -64; k <= 64; k++) {
    const t = k / 8;
    NODES.push([t, Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI) / 8]);
  }

  const plain = (theta, psi) => {
    const s = slope(psi * theta);
    return [-psi * s, theta * s];
  };

  /* The methods of gantut.dynamics.dirac_gan: field(theta, psi, strength), the default strength
   * and what it is called; clip: psi stays within the strength. */
  const METHODS = {
    gan: { text: "GAN, saturating", field: plain },
    non_saturating: {
      text: "GAN, non-saturating",
      field: (theta, psi) => [-psi * slope(-psi * theta), theta * slope(psi * theta)],
    },
    wgan: {
      text: "WGAN, psi clipped",
      strength: 1,
      called: "Clip",
      clip: true,
      field: (theta, psi) => [-psi, theta],
    },
    wgan_gp: {
      text: "WGAN-GP",
      strength: 0.7,
      called: "Lambda",
      field: (theta, psi, size) => [-psi, theta - size * (Math.abs(psi) - 1) * Math.sign(psi)],
    },
    instance_noise: {
      text: "GAN with instance noise",
      strength: 0.7,
      called: "Deviation of the noise",
      field: (theta, psi, size) => {
        let [byTheta, byPsi] = [0, 0];
        for (const [node, weight] of NODES) {
          const fake = theta + size * node;
          byTheta -= weight * psi * slope(psi * fake);
          byPsi += weight * (fake * slope(psi * fake) - size * node * slope(-psi * size * node));
        }
        return [byTheta, byPsi];
      },
    },
    r1: {
      text: "GAN with R1",
      strength: 0.3,
      called: "Gamma",
      field: (theta, psi, size) => {
        const [byTheta, byPsi] = plain(theta, psi);
        return [byTheta, byPsi - size * psi];
      },
    },
    consensus: {
      text: "consensus optimisation",
      strength: 1,
      called: "Gamma",
      field: (theta, psi, size) => {
        const product = psi * theta;
        const [s, c] = [slope(product), curvature(product)];
        const squared = theta * theta + psi * psi;
        return [
          -psi * s - size * s * (c * psi * squared + s * theta),
          theta * s - size * s * (c * theta * squared + s * psi),
        ];
      },
    },
  };

  const UPDATES = {
    simultaneous: "both at once",
    alternating: "in turns",
    extragradient: "extragradient",
    optimistic: "optimistic",
  };

  /** Follows both players, as gantut.dynamics.simulate does; gives steps + 1 pairs. */
  function simulate(method, { strength, steps, stepSize, start, update }) {
    const { field, clip } = METHODS[method];
    const move = (psi) => (clip ? Math.max(-strength, Math.min(strength, psi)) : psi);
    let [theta, psi] = [start[0], move(start[1])];
    const path = [[theta, psi]];
    let before = null;
    for (let i = 0; i < steps; i++) {
      let now = field(theta, psi, strength);
      if (update === "optimistic") {
        const last = before || now;
        before = now;
        now = [2 * now[0] - last[0], 2 * now[1] - last[1]];
      } else if (update === "extragradient") {
        now = field(theta + stepSize * now[0], move(psi + stepSize * now[1]), strength);
      }
      const moved = theta + stepSize * now[0];
      const byPsi = update === "alternating" ? field(moved, psi, strength)[1] : now[1];
      psi = move(psi + stepSize * byPsi);
      theta = moved;
      path.push([theta, psi]);
    }
    return path;
  }

  /** What an orbit did, from its distances to the equilibrium (0, 0) early and late. */
  function verdict(path) {
    const distances = path.map(([theta, psi]) => Math.hypot(theta, psi));
    const quarter = Math.floor(path.length / 4);
    const first = Math.max(...distances.slice(0, quarter));
    const last = Math.max(...distances.slice(-quarter));
    if (!(last < 1e6)) return "flies apart"; // also where it is no number any more
    if (last < 0.01 * first) return "converges: the equilibrium is reached";
    if (last < 0.9 * first) return "spirals inwards";
    if (last > 1.1 * first) return "spirals outwards";
    return "circles: it comes no nearer";
  }

  const dynamics = { METHODS, UPDATES, simulate, verdict };
  if (typeof module === "object" && module.exports) {
    module.exports = dynamics;
    return;
  }

  // --- The widget -------------------------------------------------------------------------------

  const { ui } = root.gantutPlay;
  const { h } = ui;
  const REACH = 2.2;
  const STEPS = 500;

  class Orbits {
    constructor(holder) {
      this.start = [1, 1];
      this.shown = STEPS;
      const names = {};
      for (const [name, { text }] of Object.entries(METHODS)) names[name] = text;
      const changed = () => this.changed();
      this.canvas = h("canvas", { class: "gp-picture gp-drawable", role: "img", "aria-label":
        "The plane of theta and psi with the field of both players and their orbit; what the orbit " +
        "does is said beside it." });
      this.chart = h("canvas", { class: "gp-history", role: "img", "aria-label":
        "The distance to the equilibrium against the step." });
      this.method = ui.select(names, "gan", () => {
        this.strength.value = METHODS[this.method.value].strength || "";
        this.changed();
      });
      this.update = ui.select(UPDATES, "simultaneous", changed);
      const box = (least, most, step) => h("input", { type: "number", min: least, max: most, step,
        required: true, onchange: changed });
      this.size = h("input", { type: "range", min: 0.01, max: 1, step: 0.01, oninput: changed });
      this.sizeText = h("output", {});
      this.strength = h("input", { type: "number", min: 0.01, max: 10, step: "any", onchange: changed });
      this.theta = box(-2, 2, "any");
      this.psi = box(-2, 2, "any");
      this.size.value = 0.2;
      [this.theta.value, this.psi.value] = this.start;
      this.strengthField = ui.labelled("Strength", this.strength);
      this.walkButton = h("button", { type: "button", class: "gp-main", onclick: () => this.walk() },
        "Walk");
      this.verdict = h("dd", {});
      this.distance = h("dd", {});
      this.announcer = new ui.Announcer();
      holder.append(
        h("div", { class: "gp-columns" },
          h("div", { class: "gp-left" }, this.canvas),
          h("div", { class: "gp-right" },
            ui.labelled("Method", this.method),
            this.strengthField,
            ui.labelled("Updates", this.update),
            ui.labelled("Step size", this.size, this.sizeText),
            ui.labelled("Start: theta", this.theta),
            ui.labelled("Start: psi", this.psi),
            h("p", { class: "gp-hint" }, "Or tap in the picture where the players shall start."),
            h("div", { class: "gp-row" }, this.walkButton),
            h("dl", { class: "gp-figures gp-wide" },
              h("div", {}, h("dt", {}, `In ${STEPS} steps the orbit`), this.verdict),
              h("div", {}, h("dt", {}, "Distance at the end"), this.distance)))),
        this.chart,
        ui.linkMaker("orbits", () => this.link()),
        this.announcer.element);
      this.canvas.addEventListener("pointerdown", (event) => {
        const area = this.canvas.getBoundingClientRect();
        const round = (value) => Math.max(-2, Math.min(2, Math.round(100 * value) / 100));
        this.theta.value = round(REACH * ((2 * (event.clientX - area.left)) / area.width - 1));
        this.psi.value = round(REACH * (1 - (2 * (event.clientY - area.top)) / area.height));
        this.changed();
      });
      this.compute();
      ui.onChange(this.canvas, () => this.draw());
      ui.onSettings("orbits", (settings) => this.restore(settings));
    }

    /** Reads the controls; a number out of range is put back. */
    compute() {
      const { strength, called } = METHODS[this.method.value];
      this.strengthField.hidden = !strength;
      if (strength) this.strengthField.querySelector("label").textContent = called;
      const valid = this.strength.checkValidity() && this.strength.value !== "";
      if (strength && !valid) this.strength.value = strength;
      if (!this.theta.checkValidity()) [this.theta.value] = this.start;
      if (!this.psi.checkValidity()) [, this.psi.value] = this.start;
      this.start = [Number(this.theta.value), Number(this.psi.value)];
      this.path = simulate(this.method.value, {
        strength: Number(this.strength.value),
        steps: STEPS,
        stepSize: Number(this.size.value),
        start: this.start,
        update: this.update.value,
      });
      const end = Math.hypot(...this.path[STEPS]);
      this.sizeText.textContent = Number(this.size.value).toFixed(2);
      this.verdict.textContent = verdict(this.path);
      this.distance.textContent = end < 1e6 ? end.toPrecision(4) : "beyond all bounds";
    }

    changed() {
      this.shown = STEPS;
      this.compute();
      this.draw();
      this.announcer.say(`The orbit ${this.verdict.textContent}.`, true);
    }

    /** Shows the orbit as it grows, two steps a picture. */
    walk() {
      this.shown = 0;
      const path = (this.walked = [...this.path]); // a later walk ends this one
      const frame = () => {
        if (this.shown >= STEPS || this.walked !== path) return;
        this.shown = Math.min(STEPS, this.shown + 2);
        this.draw();
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    }

    link() {
      return new URLSearchParams({ v: "1", method: this.method.value, strength: this.strength.value,
        update: this.update.value, h: this.size.value, theta: this.theta.value,
        psi: this.psi.value }).toString();
    }

    restore(settings) {
      const [method, update] = [settings.get("method"), settings.get("update")];
      if (settings.get("v") !== "1" || !Object.hasOwn(METHODS, method) ||
          !Object.hasOwn(UPDATES, update)) {
        this.announcer.say("This link cannot be read.", true);
        return;
      }
      this.method.value = method;
      this.update.value = update;
      this.strength.value = settings.get("strength") || METHODS[method].strength || "";
      this.size.value = settings.get("h") || 0.2;
      this.theta.value = settings.get("theta") || 1;
      this.psi.value = settings.get("psi") || 1;
      this.changed();
    }

    draw() {
      const colours = ui.colours();
      const { context, width, height } = ui.prepare(this.canvas);
      const at = ([theta, psi]) => [
        ((theta / REACH + 1) * width) / 2,
        ((1 - psi / REACH) * height) / 2,
      ];
      context.strokeStyle = colours.faint;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(...at([-REACH, 0]));
      context.lineTo(...at([REACH, 0]));
      context.moveTo(...at([0, -REACH]));
      context.lineTo(...at([0, REACH]));
      context.stroke();
      this.drawField(context, colours, at);
      const path = this.path.slice(0, this.shown + 1);
      context.strokeStyle = colours.second;
      context.lineWidth = 1.3;
      context.beginPath();
      // An orbit that has left is not followed: so far out a canvas draws nothing sensible.
      for (const point of path) {
        if (Math.hypot(...point) > 100) break;
        context.lineTo(...at(point));
      }
      context.stroke();
      const dot = (point, fill, radius) => {
        context.fillStyle = fill;
        context.beginPath();
        context.arc(...at(point), radius, 0, 2 * Math.PI);
        context.fill();
      };
      dot([0, 0], colours.ink, 4);
      dot(path[0], colours.line, 5);
      if (Math.hypot(...path[path.length - 1]) < 100) dot(path[path.length - 1], colours.second, 5);
      context.fillStyle = colours.ink;
      context.textAlign = "right";
      context.fillText("theta, the generator", width - 6, at([0, 0])[1] - 6);
      context.textAlign = "left";
      context.fillText("psi, the discriminator", at([0, 0])[0] + 6, 14);
      context.fillText("start", at(path[0])[0] + 8, at(path[0])[1] - 6);
      this.drawChart(colours);
    }

    drawField(context, colours, at) {
      const { field } = METHODS[this.method.value];
      const strength = Number(this.strength.value);
      context.strokeStyle = colours.ink;
      context.globalAlpha = 0.45;
      context.beginPath();
      for (let i = -5; i <= 5; i++) {
        for (let j = -5; j <= 5; j++) {
          const point = [0.4 * i, 0.4 * j];
          const [a, b] = field(...point, strength);
          const size = Math.hypot(a, b);
          if (size < 1e-9) continue;
          const length = (0.3 * Math.min(1, 0.4 + 0.6 * size)) / size;
          const end = [point[0] + length * a, point[1] + length * b];
          ui.arrow(context, at(point), at(end), 5);
        }
      }
      context.stroke();
      context.globalAlpha = 1;
    }

    /** The distance to the equilibrium, on a scale of powers of ten. */
    drawChart(colours) {
      const { context, width, height } = ui.prepare(this.chart);
      const [left, right, top, bottom] = [56, width - 12, 22, height - 30];
      const [lowest, highest] = [-4, 2];
      const x = (step) => left + ((right - left) * step) / STEPS;
      const y = (value) => {
        const power = Math.log10(Math.max(value, 1e-12));
        const share = (Math.min(highest, Math.max(lowest, power)) - lowest) / (highest - lowest);
        return bottom - (bottom - top) * share;
      };
      context.strokeStyle = colours.faint;
      context.strokeRect(left, top, right - left, bottom - top);
      context.fillStyle = colours.ink;
      context.textAlign = "right";
      for (const power of [-4, -2, 0, 2]) {
        context.fillText(power === 0 ? "1" : String(10 ** power), left - 5, y(10 ** power) + 4);
      }
      context.textAlign = "center";
      for (const step of [0, STEPS / 2, STEPS]) context.fillText(String(step), x(step), bottom + 14);
      context.fillText("step", (left + right) / 2, height - 4);
      context.textAlign = "left";
      context.fillText("distance to the equilibrium", left, 14);
      context.strokeStyle = colours.second;
      context.lineWidth = 1.5;
      context.beginPath();
      for (let i = 0; i <= this.shown; i++) context.lineTo(x(i), y(Math.hypot(...this.path[i])));
      context.stroke();
    }
  }

  const holder = document.getElementById("orbits");
  root.gantutPlay.dynamics = dynamics;
  if (holder) root.gantutPlay.orbits = new Orbits(holder);
})(typeof self === "object" ? self : this);
