/* One training step, walked through: four digits, four samples, and what passes between the networks.
 * The numbers are those of a step of the package; tools/make_step.py makes step-data.js.
 */
(function (root) {
  "use strict";

  const two = (value) => value.toFixed(2).replace("-", "−");
  const three = (value) => value.toFixed(3).replace("-", "−");
  const thousands = (value) => value.toLocaleString("en");
  const softplus = (t) => Math.max(t, 0) + Math.log1p(Math.exp(-Math.abs(t)));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const count = (values) => values.filter((value) => value > 0).length;

  /* The step of book/implementation.md: each line, and the stages that run it. */
  const CODE = [
    ["def train_step(real):", 0],
    ["    fake = generate_like(real)", 1],
    ["    with tf.GradientTape() as tape:", 2],
    ["        real_logits = discriminator(real, training=True)", 2],
    ["        fake_logits = discriminator(fake, training=True)", 2],
    ["        d_loss = tf.reduce_mean(tf.nn.softplus(-real_logits))", 3],
    ["        d_loss += tf.reduce_mean(tf.nn.softplus(fake_logits))", 3],
    ["    gradients = tape.gradient(d_loss, discriminator.trainable_variables)", 4],
    ["    d_optimizer.apply(gradients, discriminator.trainable_variables)", 4],
    ["", null],
    ["    with tf.GradientTape() as tape:", 5],
    ["        fake_logits = discriminator(generate_like(real), training=True)", 5],
    ["        g_loss = tf.reduce_mean(tf.nn.softplus(-fake_logits))", 6],
    ["    gradients = tape.gradient(g_loss, generator.trainable_variables)", 7],
    ["    g_optimizer.apply(gradients, generator.trainable_variables)", 7],
  ];

  /** The stages' names and what happens in them, with the numbers of the data. */
  function stages(data) {
    const { discriminator: d, generator: g, rows, weights } = data;
    const costs = [d.real_logits.map((l) => softplus(-l)), d.fake_logits.map(softplus)].map(mean);
    const moved = (half) => `The gradient is ${two(half.gradient)} long. Adam moves no weight by ` +
      `more than ${half.move.toFixed(4)}.`;
    return [
      ["Four digits come in", `G and D have trained for ${thousands(data.steps)} steps of ` +
        `${data.batch_size} digits. This is the next step, with ${rows} digits. Press Next for each ` +
        "arrow."],
      ["Latent vectors to G", `G turns ${rows} latent vectors of 64 random numbers each into ${rows} ` +
        "samples. The tape is not running yet, so D's half takes the samples as data."],
      ["Digits and samples to D", "D gives each image one number, its logit. Above 0 it says " +
        `“data”: here for ${count(d.real_logits)} of the ${rows} digits and ` +
        `${count(d.fake_logits)} of the ${rows} samples.`],
      ["D's loss", "A digit with the logit l costs softplus(−l), a sample softplus(l): little where " +
        `D is right. The means are ${two(costs[0])} and ${two(costs[1])}; their sum is d_loss, ` +
        `${two(d.loss)}.`],
      ["Gradient back to D", `The tape runs back from d_loss to D's ${thousands(weights.discriminator)} ` +
        `weights. ${moved(d)} For the same images, d_loss is now ${three(d.loss_after)}. G stays as it ` +
        "was."],
      ["New latent vectors through G and D", "G's half begins with new latent vectors. Now the tape " +
        "records G too. The D that judges the samples is the one that has just moved. It says “data” " +
        `to ${count(g.fake_logits)} of the ${rows}.`],
      ["G's loss", "A sample with the logit l costs G softplus(−l): much where D says “generated”. " +
        `The mean is g_loss, ${three(g.loss)}.`],
      ["Gradient back through D to G", "The tape runs back through D, which does not move, to the " +
        "pixels: where they are light on the right, a lighter pixel would lower g_loss; where dark, a " +
        `darker one. From there it goes on to G's ${thousands(weights.generator)} weights. ${moved(g)} ` +
        `For the same latent vectors, g_loss is now ${three(g.loss_after)}.`],
    ];
  }

  const walk = { CODE, stages };
  if (typeof module === "object" && module.exports) {
    module.exports = walk;
    return;
  }

  // --- The widget ---------------------------------------------------------------------------------

  const { ui } = root.gantutPlay;
  const { h } = ui;

  /** Pictures side by side, from greys in base64; `alt` says what they are. */
  function pictures(base64, alt, side = 28) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const size = side * side;
    return Array.from({ length: bytes.length / size }, (_, i) => {
      const canvas = h("canvas", { width: side, height: side, role: "img",
        "aria-label": `${alt} ${i + 1}` });
      const context = canvas.getContext("2d");
      const image = context.createImageData(side, side);
      bytes.subarray(i * size, (i + 1) * size).forEach((grey, k) => {
        image.data.set([grey, grey, grey, 255], 4 * k);
      });
      context.putImageData(image, 0, 0);
      return canvas;
    });
  }

  const numbers = (values) => values.map((value) => h("span", {}, two(value)));

  class Step {
    constructor(holder, data) {
      this.stage = 0;
      this.texts = stages(data);
      this.parts = []; // elements, and the stage from which each is seen
      const { discriminator: d, generator: g } = data;
      const slopes = g.fake_logits.map((l) => -1 / (1 + Math.exp(l)) / data.rows);
      const part = (from, kind, ...children) => {
        const element = h("div", { class: kind }, ...children);
        this.parts.push([element, from]);
        return element;
      };
      const row = (from, name, cells) =>
        part(from, "gp-tensors", h("p", {}, name), h("div", { class: "gp-four" }, ...cells));
      const arrow = (from, text) => part(from, "gp-arrow", text);
      const column = (title, ...children) => h("div", {}, h("p", { class: "gp-title" }, title),
        ...children);
      const half = (title, ...columns) => h("div", { role: "group", "aria-label": title,
        class: "gp-half" }, h("p", { class: "gp-title" }, title), h("div", { class: "gp-halves" },
        ...columns));
      const result = (from, text) => part(from, "gp-result", text);
      this.halves = [
        half("D's half of the step",
          column("Samples", row(1, "z", pictures(d.z, "latent vector", 8)), arrow(1, "↓ G"),
            row(1, "fake", pictures(d.images, "sample")), arrow(2, "↓ D"),
            row(2, "fake_logits", numbers(d.fake_logits)), arrow(3, "↓ softplus(l)"),
            row(3, "costs", numbers(d.fake_logits.map(softplus)))),
          column("Digits", row(0, "real", pictures(data.real, "digit")), arrow(2, "↓ D"),
            row(2, "real_logits", numbers(d.real_logits)), arrow(3, "↓ softplus(−l)"),
            row(3, "costs", numbers(d.real_logits.map((l) => softplus(-l)))))),
        half("G's half of the step",
          column("Samples", row(5, "z", pictures(g.z, "new latent vector", 8)), arrow(5, "↓ G"),
            row(5, "fake", pictures(g.images, "new sample")), arrow(5, "↓ D"),
            row(5, "fake_logits", numbers(g.fake_logits)), arrow(6, "↓ softplus(−l)"),
            row(6, "costs", numbers(g.fake_logits.map((l) => softplus(-l))))),
          column("The way back", arrow(7, "↑ to G's weights"),
            row(7, "minus gradient: pixels", pictures(g.pixels, "minus the gradient at new sample")),
            arrow(7, "↑ through D"), row(7, "gradient: logits", numbers(slopes)),
            arrow(7, "↑"), row(7, "gradient: costs", numbers(slopes.map(() => 1 / data.rows))))),
      ];
      this.halves[0].append(
        result(3, `d_loss = ${three(d.loss)}`),
        result(4, `D's weights move: d_loss = ${three(d.loss_after)} on the same images`));
      this.halves[1].append(
        result(6, `g_loss = ${three(g.loss)}`),
        result(7, `G's weights move: g_loss = ${three(g.loss_after)} for the same z`));
      this.lines = CODE.map(([text]) => h("span", { class: "gp-line" }, text || " "));
      const go = (by) => () => this.show(this.stage + by);
      this.back = h("button", { type: "button", onclick: go(-1) }, "Back");
      this.next = h("button", { type: "button", class: "gp-main", onclick: go(1) }, "Next");
      // Hidden copies of all texts give the place the height of the longest.
      const copies = this.texts.map((_, i) => h("p", { "aria-hidden": "true" }, ...this.said(i)));
      this.status = h("p", { role: "status", "aria-live": "polite" });
      holder.append(
        h("div", { class: "gp-row" }, this.back, this.next),
        h("div", { class: "gp-stack" }, ...copies, this.status),
        h("div", { class: "gp-stack" }, ...this.halves),
        h("pre", { class: "gp-code", role: "group", "aria-label": "The step's code; the lines of this stage are marked" },
          h("code", {}, ...this.lines)),
        ui.linkMaker("step", () => new URLSearchParams({ v: "1", stage: this.stage }).toString()));
      this.show(0);
      ui.onSettings("step", (settings) => this.restore(settings));
    }

    /** A stage's number, name and text, for the live region and the copies. */
    said(i) {
      const [name, text] = this.texts[i];
      return [h("strong", {}, `${i} of ${this.texts.length - 1}. ${name}.`), ` ${text}`];
    }

    /** Goes to a stage; beyond the last comes the first. */
    show(stage) {
      this.stage = Math.max(0, stage) % this.texts.length;
      const last = this.stage === this.texts.length - 1;
      this.back.setAttribute("aria-disabled", String(this.stage === 0)); // which keeps the focus
      this.next.textContent = last ? "Again" : "Next";
      this.status.replaceChildren(...this.said(this.stage));
      this.halves.forEach((half, i) => half.classList.toggle("gp-away", i !== Number(this.stage > 4)));
      for (const [element, from] of this.parts) {
        element.classList.toggle("gp-away", from > this.stage);
        element.classList.toggle("gp-new", from === this.stage);
      }
      CODE.forEach(([, at], i) => {
        if (at === this.stage) this.lines[i].setAttribute("aria-current", "step");
        else this.lines[i].removeAttribute("aria-current");
      });
    }

    restore(settings) {
      const stage = Number(settings.get("stage") || NaN);
      if (settings.get("v") !== "1" || !this.texts[stage]) {
        this.status.textContent = "This link cannot be read.";
        return;
      }
      this.show(stage);
    }
  }

  root.gantutPlay.walk = walk;
  const holder = document.getElementById("step");
  if (holder) root.gantutPlay.step = new Step(holder, root.gantutPlay.stepData);
})(typeof self === "object" ? self : this);
