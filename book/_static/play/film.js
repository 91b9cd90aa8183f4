/* The training film: the pictures of the same latent vectors, and the losses, all through one training
 * of the package. film-data.js is made by benchmarks/film.py.
 */
(function (root) {
  "use strict";

  /** The last row at or before a step; the first row where there is none. */
  function rowAt(rows, step) {
    let found = rows[0];
    for (const row of rows) if (row.step <= step) found = row;
    return found;
  }

  /** Round numbers around the values of a column, for an axis: [least, most]. */
  function bounds(rows, names, logarithmic) {
    const values = rows.flatMap((row) => names.map((name) => row[name]));
    if (logarithmic) {
      return [10 ** Math.floor(Math.log10(Math.min(...values))),
        10 ** Math.ceil(Math.log10(Math.max(...values)))];
    }
    return [0, Math.ceil(Math.max(...values))];
  }

  const film = { rowAt, bounds };
  if (typeof module === "object" && module.exports) {
    module.exports = film;
    return;
  }

  // --- The widget ---------------------------------------------------------------------------------

  const { ui } = root.gantutPlay;
  const { h } = ui;
  const MILLISECONDS = 250; // a frame, while it plays

  class Film {
    constructor(holder, data, sprite) {
      Object.assign(this, { data, sprite, timer: null });
      const { frames, classes, latents } = data;
      this.canvas = h("canvas", { class: "gp-picture", role: "img", "aria-label":
        `${classes * latents} pictures: a column for each digit that was asked for, a row for each ` +
        "latent vector." });
      this.canvas.style.aspectRatio = `${classes} / ${latents}`;
      this.losses = h("canvas", { class: "gp-history", role: "img",
        "aria-label": "Both losses against the step; the figures of the step are given beside them." });
      this.distances = h("canvas", { class: "gp-history", role: "img",
        "aria-label": "The Fréchet distance against the step, on a scale of powers of ten." });
      this.slider = h("input", { type: "range", min: 0, max: frames.length - 1, step: 1, value: 0,
        class: "gp-wide-range", "aria-label": "Frame", oninput: () => {
          this.pause();
          this.show();
        } });
      this.playButton = h("button", { type: "button", class: "gp-main", onclick: () => this.toggle() },
        "Play");
      const figure = (name) => {
        const value = h("dd", {});
        return [h("div", {}, h("dt", {}, name), value), value];
      };
      const [step, stepText] = figure("Step");
      const [time, timeText] = figure("Core seconds");
      const [read, readText] = figure("Read as asked");
      const [lossD, lossDText] = figure("Loss of D");
      const [lossG, lossGText] = figure("Loss of G");
      const [distance, distanceText] = figure("Fréchet distance");
      Object.assign(this, { stepText, timeText, readText, lossDText, lossGText, distanceText });
      this.announcer = new ui.Announcer();
      holder.append(
        this.canvas, this.slider,
        h("div", { class: "gp-row" }, this.playButton),
        h("dl", { class: "gp-figures gp-many" }, step, time, read, distance, lossG, lossD),
        h("div", { class: "gp-columns" },
          h("div", { class: "gp-right" }, this.distances),
          h("div", { class: "gp-right" }, this.losses)),
        ui.linkMaker("film", () => new URLSearchParams({ v: "1", frame: this.slider.value }).toString()),
        this.announcer.element);
      this.show();
      ui.onChange(this.canvas, () => this.draw());
      ui.onSettings("film", (settings) => this.restore(settings));
    }

    get frame() {
      return Number(this.slider.value);
    }

    toggle() {
      if (this.timer !== null) {
        this.pause();
        return;
      }
      if (this.frame === this.data.frames.length - 1) this.slider.value = 0;
      this.playButton.textContent = "Pause";
      this.show();
      this.timer = setInterval(() => {
        this.slider.value = this.frame + 1;
        if (this.frame === this.data.frames.length - 1) this.pause();
        this.show();
      }, MILLISECONDS);
    }

    pause() {
      clearInterval(this.timer);
      this.timer = null;
      this.playButton.textContent = "Play";
    }

    restore(settings) {
      const frame = Number(settings.get("frame") || NaN);
      if (settings.get("v") !== "1" || !this.data.frames[frame]) {
        this.announcer.say("This link cannot be read.", true);
        return;
      }
      this.pause();
      this.slider.value = frame;
      this.show();
    }

    /** Writes the figures of the frame, and draws. */
    show() {
      const { step, cpu_seconds: seconds, frechet_ratio: ratio, read } = this.data.frames[this.frame];
      const loss = rowAt(this.data.losses, step);
      this.stepText.textContent = step.toLocaleString("en");
      this.timeText.textContent = seconds.toFixed(1);
      this.readText.textContent = `${read} of ${this.data.classes * this.data.latents}`;
      this.lossDText.textContent = step ? loss.d_loss.toFixed(3) : "none yet";
      this.lossGText.textContent = step ? loss.g_loss.toFixed(3) : "none yet";
      this.distanceText.textContent = `${ratio.toFixed(1)} floors`;
      this.slider.setAttribute("aria-valuetext", `step ${step}`);
      this.announcer.settle(`Step ${step}: ${this.readText.textContent} read as asked, Fréchet distance ${ratio.toFixed(1)} floors.`);
      this.draw();
    }

    draw() {
      const { classes, latents, side, frames, losses } = this.data;
      const { context, width, height } = ui.prepare(this.canvas);
      const [columns, rows] = [classes * side, latents * side];
      context.imageSmoothingEnabled = false;
      context.drawImage(this.sprite, 0, this.frame * rows, columns, rows, 0, 0, width, height);
      const colours = ui.colours();
      this.chart(this.losses, losses, [["d_loss", "loss of D", colours.line, []],
        ["g_loss", "loss of G, dashed", colours.second, [5, 3]]], false);
      this.chart(this.distances, frames, [["frechet_ratio", "Fréchet distance, in floors", colours.ink,
        []]], true);
    }

    /** Curves against the root of the step, which gives the beginning room; the mark is now. */
    chart(canvas, rows, curves, logarithmic) {
      const colours = ui.colours();
      const { context, width, height } = ui.prepare(canvas);
      const [left, right, top, bottom] = [48, width - 20, 20, height - 30];
      const { frames } = this.data;
      const last = frames[frames.length - 1].step;
      const [least, most] = bounds(rows, curves.map(([name]) => name), logarithmic);
      const scale = logarithmic ? Math.log10 : (value) => value;
      const x = (step) => left + (right - left) * Math.sqrt(step / last);
      const y = (value) => bottom -
        ((bottom - top) * (scale(value) - scale(least))) / (scale(most) - scale(least));
      context.strokeStyle = colours.faint;
      context.lineWidth = 1;
      context.strokeRect(left, top, right - left, bottom - top);
      context.fillStyle = colours.ink;
      context.textAlign = "center";
      for (const step of [0, last / 24, last / 4, last]) {
        context.fillText(step.toLocaleString("en"), x(step), bottom + 14);
      }
      context.fillText("step", (left + right) / 2, height - 4);
      context.textAlign = "right";
      const ticks = logarithmic ? [] : [least, (least + most) / 2, most];
      for (let tick = least; logarithmic && tick <= most; tick *= 10) ticks.push(tick);
      for (const tick of ticks) context.fillText(tick.toLocaleString("en"), left - 5, y(tick) + 4);
      let at = left;
      const { step: now } = frames[this.frame];
      context.strokeStyle = colours.ink;
      context.beginPath();
      context.moveTo(x(now), top);
      context.lineTo(x(now), bottom);
      context.stroke();
      for (const [name, text, colour, dash] of curves) {
        context.fillStyle = colour;
        context.strokeStyle = colour;
        context.textAlign = "left";
        context.fillText(text, at, 13);
        at += context.measureText(text).width + 14;
        context.lineWidth = 1.5;
        context.setLineDash(dash);
        context.beginPath();
        for (const row of rows) context.lineTo(x(row.step), y(row[name]));
        context.stroke();
        context.setLineDash([]);
        context.beginPath();
        context.arc(x(now), y(rowAt(rows, now)[name]), 4, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  root.gantutPlay.frames = film;
  if (document.getElementById("film")) {
    ui.opener("film", "Open the film (loads 0.3 MB)", ["film-data.js"], async (holder) => {
      const data = root.gantutPlay.filmData;
      const sprite = new Image();
      sprite.src = data.sprite;
      await sprite.decode();
      root.gantutPlay.film = new Film(holder, data, sprite);
    });
  }
})(typeof self === "object" ? self : this);
