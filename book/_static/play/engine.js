/* The engine of the playground: two small networks, their losses and penalties, Adam, and counting
 * modes. Plain JavaScript without a page, so that node can run it too; tests/browser compares it
 * with gantut.losses and gantut.metrics.
 *
 * Arrays of rows are flat Float64Arrays, row after row. All that decides a run is +, -, *, / and
 * square roots, which every browser rounds alike (exp and log are written out below for that
 * reason): the same settings and steps give the same numbers, bit for bit, in any browser.
 */
(function (root) {
  "use strict";

  // --- Numbers ----------------------------------------------------------------------------------

  const LN2_HIGH = 0.693147180369123816490; // ln 2 in two parts: k * LN2_HIGH is exact
  const LN2_LOW = 1.90821492927058770002e-10;
  const bits = new DataView(new ArrayBuffer(8));

  /** 2^k for whole k from -1022 to 1023. */
  function powerOfTwo(k) {
    bits.setUint32(0, (k + 1023) << 20);
    bits.setUint32(4, 0);
    return bits.getFloat64(0);
  }

  /** exp(t), by a series on [-ln 2 / 2, ln 2 / 2]; 0 below -700, and no larger than exp(700). */
  function exp(t) {
    if (t < -700) return 0;
    const k = Math.round(Math.min(t, 700) / Math.LN2);
    const r = Math.min(t, 700) - k * LN2_HIGH - k * LN2_LOW;
    let sum = 1;
    for (let n = 14; n > 0; n--) sum = 1 + (sum * r) / n;
    return sum * powerOfTwo(k);
  }

  /** log(t) for normal t > 0: t = m * 2^k with m near 1, and the series of artanh. */
  function log(t) {
    bits.setFloat64(0, t);
    const high = bits.getUint32(0);
    let k = ((high >>> 20) & 0x7ff) - 1023;
    bits.setUint32(0, (high & 0xfffff) | (1023 << 20));
    let m = bits.getFloat64(0);
    if (m > Math.SQRT2) {
      m /= 2;
      k += 1;
    }
    const s = (m - 1) / (m + 1);
    const square = s * s;
    let sum = 0;
    for (let n = 23; n > 0; n -= 2) sum = sum * square + 1 / n;
    return 2 * s * sum + k * LN2_LOW + k * LN2_HIGH;
  }

  /** log(1 + exp(t)) without overflow. */
  function softplus(t) {
    return Math.max(t, 0) + log(1 + exp(-Math.abs(t)));
  }

  function sigmoid(t) {
    const e = exp(-Math.abs(t));
    return t >= 0 ? 1 / (1 + e) : e / (1 + e);
  }

  /** Seeded random numbers: the generator sfc32 of PractRand; streams of a seed are independent. */
  class Random {
    constructor(seed, stream) {
      this.state = new Uint32Array([seed >>> 0, stream >>> 0, 0x9e3779b9, 1]);
      this.spare = null;
      for (let i = 0; i < 20; i++) this.uniform();
    }

    /** Uniform on [0, 1), a multiple of 2^-32. */
    uniform() {
      const s = this.state;
      const sum = (s[0] + s[1] + s[3]) >>> 0;
      s[3] += 1;
      s[0] = s[1] ^ (s[1] >>> 9);
      s[1] = s[2] + (s[2] << 3);
      s[2] = ((s[2] << 21) | (s[2] >>> 11)) + sum;
      return sum / 4294967296;
    }

    /** Standard normal, by Marsaglia's polar method. */
    normal() {
      if (this.spare !== null) {
        const value = this.spare;
        this.spare = null;
        return value;
      }
      let a, b, square;
      do {
        a = 2 * this.uniform() - 1;
        b = 2 * this.uniform() - 1;
        square = a * a + b * b;
      } while (square >= 1 || square === 0);
      const factor = Math.sqrt((-2 * log(square)) / square);
      this.spare = b * factor;
      return a * factor;
    }

    fillNormal(array) {
      for (let i = 0; i < array.length; i++) array[i] = this.normal();
      return array;
    }
  }

  // --- Networks ---------------------------------------------------------------------------------

  /** out[i, j] = sum over k of a[i, k] * b[j, k]: a has n rows, b has m, both of the length size.
   *
   * All the work of the networks is done here, eight sums at a time (four rows of a with two of
   * b), so that each number that is read is used more than once.
   */
  function multiply(a, n, b, m, size, out) {
    const n4 = n - (n % 4);
    const m2 = m - (m % 2);
    for (let i = 0; i < n4; i += 4) {
      const a0 = i * size;
      const a1 = a0 + size;
      const a2 = a1 + size;
      const a3 = a2 + size;
      for (let j = 0; j < m2; j += 2) {
        const b0 = j * size;
        const b1 = b0 + size;
        let s00 = 0, s01 = 0, s10 = 0, s11 = 0, s20 = 0, s21 = 0, s30 = 0, s31 = 0;
        for (let k = 0; k < size; k++) {
          const y0 = b[b0 + k];
          const y1 = b[b1 + k];
          let x = a[a0 + k];
          s00 += x * y0;
          s01 += x * y1;
          x = a[a1 + k];
          s10 += x * y0;
          s11 += x * y1;
          x = a[a2 + k];
          s20 += x * y0;
          s21 += x * y1;
          x = a[a3 + k];
          s30 += x * y0;
          s31 += x * y1;
        }
        const o = i * m + j;
        out[o] = s00;
        out[o + 1] = s01;
        out[o + m] = s10;
        out[o + m + 1] = s11;
        out[o + 2 * m] = s20;
        out[o + 2 * m + 1] = s21;
        out[o + 3 * m] = s30;
        out[o + 3 * m + 1] = s31;
      }
    }
    // The rows and columns that are left over.
    for (let i = 0; i < n; i++) {
      for (let j = i < n4 ? m2 : 0; j < m; j++) {
        let sum = 0;
        for (let k = 0; k < size; k++) sum += a[i * size + k] * b[j * size + k];
        out[i * m + j] = sum;
      }
    }
  }

  /** out[j, i] = scale[i] * a[i, j] + b[i, j]; scale and b may be null. */
  function transpose(a, n, m, out, scale, b) {
    for (let i = 0; i < n; i++) {
      const factor = scale ? scale[i] : 1;
      for (let j = 0; j < m; j++) {
        const value = factor * a[i * m + j];
        out[j * n + i] = b ? value + b[i * m + j] : value;
      }
    }
    return out;
  }

  /** A multilayer perceptron with (leaky) rectifiers and a linear last layer.
   *
   * @param sizes  inputs, hidden units, outputs, such as [2, 64, 64, 1]
   * @param slope  of the hidden units below zero
   * @param rows   the largest number of rows that it is called with
   *
   * values   all weights in one array; layer l is kernels[l] (outputs x inputs), then biases[l]
   * gradient the same for their derivatives
   */
  class Network {
    constructor(sizes, slope, rows) {
      this.sizes = sizes;
      this.slope = slope;
      let count = 0;
      for (let l = 1; l < sizes.length; l++) count += sizes[l] * (sizes[l - 1] + 1);
      this.values = new Float64Array(count);
      this.gradient = new Float64Array(count);
      [this.kernels, this.biases] = this.layers(this.values);
      [this.kernelGradients, this.biasGradients] = this.layers(this.gradient);
      this.hidden = sizes.map((size) => new Float64Array(size * rows));
      this.deltas = sizes.map((size) => new Float64Array(size * rows));
      this.tangents = sizes.map((size) => new Float64Array(size * rows));
      const widest = Math.max(...sizes);
      this.left = new Float64Array(widest * rows);
      this.right = new Float64Array(widest * rows);
      this.turned = new Float64Array(widest * widest);
    }

    layers(flat) {
      const kernels = [];
      const biases = [];
      let start = 0;
      for (let l = 1; l < this.sizes.length; l++) {
        const inputs = this.sizes[l - 1];
        const outputs = this.sizes[l];
        kernels.push(flat.subarray(start, start + inputs * outputs));
        biases.push(flat.subarray(start + inputs * outputs, start + (inputs + 1) * outputs));
        start += (inputs + 1) * outputs;
      }
      return [kernels, biases];
    }

    /** Draws the kernels as gantut.toys does (Glorot and Bengio 2010, eq. 16); biases are 0. */
    initialise(random) {
      this.values.fill(0);
      this.kernels.forEach((kernel, l) => {
        const limit = Math.sqrt(6 / (this.sizes[l] + this.sizes[l + 1]));
        for (let i = 0; i < kernel.length; i++) kernel[i] = limit * (2 * random.uniform() - 1);
      });
    }

    /** The outputs of n rows x; what the hidden units said is kept for what follows. */
    forward(x, n) {
      this.hidden[0].set(x.subarray(0, n * this.sizes[0]));
      const last = this.kernels.length - 1;
      for (let l = 0; l <= last; l++) {
        const outputs = this.sizes[l + 1];
        const out = this.hidden[l + 1];
        const bias = this.biases[l];
        const slope = l < last ? this.slope : 1;
        multiply(this.hidden[l], n, this.kernels[l], outputs, this.sizes[l], out);
        for (let i = 0, k = 0; i < n; i++) {
          for (let j = 0; j < outputs; j++, k++) {
            const value = out[k] + bias[j];
            out[k] = value > 0 ? value : slope * value;
          }
        }
      }
      return this.hidden[last + 1];
    }

    /** Carries derivatives by the outputs (null: all are 1) back to the inputs of the n rows. */
    backward(n, derivatives) {
      const last = this.kernels.length - 1;
      if (derivatives) this.deltas[last + 1].set(derivatives.subarray(0, n * this.sizes[last + 1]));
      else this.deltas[last + 1].fill(1, 0, n * this.sizes[last + 1]);
      for (let l = last; l >= 0; l--) {
        const inputs = this.sizes[l];
        const outputs = this.sizes[l + 1];
        const delta = this.deltas[l];
        transpose(this.kernels[l], outputs, inputs, this.turned, null, null);
        multiply(this.deltas[l + 1], n, this.turned, inputs, outputs, delta);
        if (l > 0) this.throughUnits(l, n, delta);
      }
      return this.deltas[0];
    }

    /** Multiplies by the derivative of the hidden units of layer l. */
    throughUnits(l, n, array) {
      const hidden = this.hidden[l];
      const end = n * this.sizes[l];
      for (let k = 0; k < end; k++) if (hidden[k] <= 0) array[k] *= this.slope;
    }

    /** Fills gradient after forward and backward with the derivatives by the weights of
     *
     *    sum over rows i of  weights[i] * output[i] + directions[i] . (d output[i] / d x[i]),
     *
     * where backward was called with null, or with the derivatives in place of weights (null).
     *
     * The second sum is what a gradient penalty needs, and for these networks it is cheap.
     * direction . d output / d x is the tangent: the direction sent forward through the layers,
     * kernel by kernel, each unit passing it on with its own slope. A rectifier's slope does not
     * change with its input (but for the kink), so the tangent depends on a kernel as a product
     * does: its derivative is the outer product of the output's delta with the tangent that came
     * in. It has the form of the first sum's, with the tangent in the place of the hidden values,
     * so one multiplication serves both.
     */
    weightGradient(n, weights, directions) {
      if (directions) this.sendTangent(n, directions);
      for (let l = 0; l < this.kernels.length; l++) {
        const inputs = this.sizes[l];
        const outputs = this.sizes[l + 1];
        const delta = this.deltas[l + 1];
        const tangent = directions ? this.tangents[l] : null;
        transpose(delta, n, outputs, this.left, null, null);
        transpose(this.hidden[l], n, inputs, this.right, weights, tangent);
        multiply(this.left, outputs, this.right, inputs, n, this.kernelGradients[l]);
        const bias = this.biasGradients[l];
        bias.fill(0);
        for (let i = 0, k = 0; i < n; i++) {
          const factor = weights ? weights[i] : 1;
          for (let j = 0; j < outputs; j++, k++) bias[j] += factor * delta[k];
        }
      }
      return this.gradient;
    }

    sendTangent(n, directions) {
      this.tangents[0].set(directions.subarray(0, n * this.sizes[0]));
      for (let l = 0; l < this.kernels.length - 1; l++) {
        const outputs = this.sizes[l + 1];
        const out = this.tangents[l + 1];
        multiply(this.tangents[l], n, this.kernels[l], outputs, this.sizes[l], out);
        this.throughUnits(l + 1, n, out);
      }
    }
  }

  /** Adam with bias correction (Kingma and Ba 2015, algorithm 1; epsilon where Keras has it). */
  class Adam {
    constructor(size, beta1, beta2) {
      this.beta1 = beta1;
      this.beta2 = beta2;
      this.power1 = 1;
      this.power2 = 1;
      this.m = new Float64Array(size);
      this.v = new Float64Array(size);
    }

    step(values, gradient, rate) {
      const { beta1, beta2, m, v } = this;
      this.power1 *= beta1;
      this.power2 *= beta2;
      const scaled = (rate * Math.sqrt(1 - this.power2)) / (1 - this.power1);
      for (let i = 0; i < values.length; i++) {
        m[i] += (1 - beta1) * (gradient[i] - m[i]);
        v[i] += (1 - beta2) * (gradient[i] * gradient[i] - v[i]);
        values[i] -= (scaled * m[i]) / (Math.sqrt(v[i]) + 1e-7);
      }
    }
  }

  // --- Losses and penalties ---------------------------------------------------------------------

  /* Each loss as gantut.losses has it: a mean over pairs of a real and a generated point, of a
   * function of the two logits. discriminator and generator return [value, derivative by the
   * logit of the real point, derivative by the logit of the generated one]. */
  const minimaxDiscriminator = (real, fake) => [
    softplus(-real) + softplus(fake),
    -sigmoid(-real),
    sigmoid(fake),
  ];
  const LOSSES = {
    minimax: {
      discriminator: minimaxDiscriminator,
      generator: (real, fake) => [-softplus(fake), 0, -sigmoid(fake)],
    },
    non_saturating: {
      discriminator: minimaxDiscriminator,
      generator: (real, fake) => [softplus(-fake), 0, -sigmoid(-fake)],
    },
    wasserstein: {
      discriminator: (real, fake) => [fake - real, -1, 1],
      generator: (real, fake) => [-fake, 0, -1],
    },
    relativistic: {
      discriminator: (real, fake) => [
        softplus(fake - real),
        -sigmoid(fake - real),
        sigmoid(fake - real),
      ],
      generator: (real, fake) => [
        softplus(real - fake),
        sigmoid(real - fake),
        -sigmoid(real - fake),
      ],
    },
  };

  const PENALTIES = ["none", "r1", "r1_r2", "wgan_gp"];

  /** The discriminator's loss and, in d.gradient, its derivative by the weights.
   *
   * @param real, fake  n rows each, points (x, y)
   * @param penalty     one of PENALTIES, times weight
   * @param alpha       n mixing weights, for wgan_gp
   */
  function discriminatorLoss(d, real, fake, n, loss, penalty, weight, alpha) {
    const between = penalty === "wgan_gp";
    const rows = between ? 3 * n : 2 * n;
    const x = new Float64Array(2 * rows);
    x.set(real.subarray(0, 2 * n));
    x.set(fake.subarray(0, 2 * n), 2 * n);
    for (let i = 0; between && i < 2 * n; i++) {
      const share = alpha[i >> 1];
      x[4 * n + i] = share * real[i] + (1 - share) * fake[i];
    }
    const logits = d.forward(x, rows);
    const weights = new Float64Array(rows);
    let value = 0;
    for (let i = 0; i < n; i++) {
      const [term, byReal, byFake] = LOSSES[loss].discriminator(logits[i], logits[n + i]);
      value += term / n;
      weights[i] = byReal / n;
      weights[n + i] = byFake / n;
    }
    const slopes = d.backward(rows, null);
    let cost = 0;
    let directions = null;
    if (penalty !== "none") {
      directions = new Float64Array(2 * rows);
      const first = between ? 2 * n : 0;
      const end = penalty === "r1" ? n : rows;
      for (let i = first; i < end; i++) {
        const square = slopes[2 * i] ** 2 + slopes[2 * i + 1] ** 2;
        let factor = weight / n; // R1 and R2: square / 2, whose derivative is the slope itself
        if (between) {
          const norm = Math.sqrt(square + 1e-12);
          cost += (weight * (norm - 1) ** 2) / n;
          factor *= (2 * (norm - 1)) / norm;
        } else {
          cost += (weight * square) / (2 * n);
        }
        directions[2 * i] = factor * slopes[2 * i];
        directions[2 * i + 1] = factor * slopes[2 * i + 1];
      }
    }
    d.weightGradient(rows, weights, directions);
    return { loss: value + cost, penalty: cost };
  }

  /** The generator's loss and, in g.gradient, its derivative by the weights. */
  function generatorLoss(g, d, z, real, n, loss) {
    const fake = g.forward(z, n);
    const x = new Float64Array(4 * n);
    x.set(fake.subarray(0, 2 * n));
    const relativistic = loss === "relativistic"; // the only one that looks at the real points
    if (relativistic) x.set(real.subarray(0, 2 * n), 2 * n);
    const logits = d.forward(x, relativistic ? 2 * n : n);
    const byFake = new Float64Array(n);
    let value = 0;
    for (let i = 0; i < n; i++) {
      const [term, , derivative] = LOSSES[loss].generator(logits[n + i], logits[i]);
      value += term / n;
      byFake[i] = derivative / n;
    }
    const slopes = d.backward(n, null);
    const byPoint = new Float64Array(2 * n);
    for (let i = 0; i < 2 * n; i++) byPoint[i] = byFake[i >> 1] * slopes[i];
    g.backward(n, byPoint);
    g.weightGradient(n, null, null);
    return { loss: value, byPoint };
  }

  // --- Data and modes ---------------------------------------------------------------------------

  const twelveDigits = (value) => Math.round(value * 1e12) / 1e12;

  /** A mixture of round normal distributions of equal weight: centres [[x, y], ...] and sigma. */
  function mixture(name, drawn) {
    const centres = [];
    if (name === "ring") {
      for (let k = 0; k < 8; k++) {
        const angle = (Math.PI * k) / 4;
        centres.push([twelveDigits(Math.cos(angle)), twelveDigits(Math.sin(angle))]);
      }
      return { centres, sigma: 0.05 };
    }
    if (name === "grid") {
      for (let i = -2; i <= 2; i++) for (let j = -2; j <= 2; j++) centres.push([i / 2, j / 2]);
      return { centres, sigma: 0.04 };
    }
    if (name === "line") {
      for (let k = -8; k <= 8; k++) centres.push([k / 8, k / 16]);
      return { centres, sigma: 0.04 };
    }
    if (name !== "drawn") throw new Error(`unknown data ${name}`);
    return { centres: drawn.map(([x, y]) => [x, y]), sigma: 0.05 };
  }

  function sampleMixture(mix, random, out) {
    for (let i = 0; i < out.length; i += 2) {
      const [x, y] = mix.centres[Math.floor(random.uniform() * mix.centres.length)];
      out[i] = x + mix.sigma * random.normal();
      out[i + 1] = y + mix.sigma * random.normal();
    }
    return out;
  }

  /** How many modes n points reach: the protocol of gantut.metrics.mode_coverage. */
  function modeCoverage(points, n, mix, radius = 3) {
    const { centres, sigma } = mix;
    const counts = centres.map(() => 0);
    let counted = 0;
    for (let i = 0; i < n; i++) {
      let nearest = 0;
      let least = Infinity;
      for (let k = 0; k < centres.length; k++) {
        const dx = points[2 * i] - centres[k][0];
        const dy = points[2 * i + 1] - centres[k][1];
        const square = dx * dx + dy * dy;
        if (square < least) {
          least = square;
          nearest = k;
        }
      }
      if (least < (radius * sigma) ** 2) {
        counts[nearest] += 1;
        counted += 1;
      }
    }
    let reverseKl = counted ? 0 : NaN;
    for (const count of counts) {
      if (count) reverseKl += (count / counted) * log((count / counted) * centres.length);
    }
    return {
      modes: counts.filter((count) => count > 0).length,
      numModes: centres.length,
      highQuality: counted / n,
      reverseKl: reverseKl < 0 ? 0 : reverseKl,
      counts,
    };
  }

  // --- Training ---------------------------------------------------------------------------------

  const BATCH = 256;
  const FIELD = 32; // D is drawn at FIELD x FIELD points
  const REACH = 1.6; // the picture shows [-REACH, REACH] along both axes
  const SHOWN = 256; // generated points in the picture
  const COUNTED = 1000; // generated points for counting modes, of which the shown are the first
  const LATENT = 2;
  const SLOPE = 0.2; // of D's units below zero, as Keras' leaky_relu has it

  /** A GAN in the plane.
   *
   * @param data   "ring", "grid", "line" or "drawn"; @param drawn  the centres for "drawn"
   * @param seed   a whole number: fixes the weights, the data and the latent vectors
   * @param rules  how a step goes; may be changed between steps:
   *   { train: "both", "d" or "g", loss, penalty, weight, rateD, rateG }
   */
  class Trainer {
    constructor({ data, drawn, seed, rules }) {
      this.mixture = mixture(data, drawn);
      this.rules = rules;
      this.d = new Network([2, ...Trainer.WIDTHS, 1], SLOPE, FIELD * FIELD);
      this.g = new Network([LATENT, ...Trainer.WIDTHS, 2], 0, COUNTED);
      this.g.initialise(new Random(seed, 1));
      this.d.initialise(new Random(seed, 2));
      this.random = new Random(seed, 3);
      this.optimizerD = new Adam(this.d.values.length, Trainer.BETA_1, Trainer.BETA_2);
      this.optimizerG = new Adam(this.g.values.length, Trainer.BETA_1, Trainer.BETA_2);
      this.real = new Float64Array(2 * BATCH);
      this.z = new Float64Array(LATENT * BATCH);
      this.alpha = new Float64Array(BATCH);
      this.fixed = new Random(seed, 4).fillNormal(new Float64Array(LATENT * COUNTED));
      this.steps = 0;
      this.lossD = NaN;
      this.lossG = NaN;
    }

    /** One step of D on new points, then one of G on new latent vectors. */
    step() {
      const { d, g, real, z, alpha, random, rules } = this;
      sampleMixture(this.mixture, random, real);
      if (rules.train !== "g") {
        const fake = g.forward(random.fillNormal(z), BATCH);
        if (rules.penalty === "wgan_gp") {
          for (let i = 0; i < BATCH; i++) alpha[i] = random.uniform();
        }
        const { loss, penalty, weight } = rules;
        this.lossD = discriminatorLoss(d, real, fake, BATCH, loss, penalty, weight, alpha).loss;
        this.optimizerD.step(d.values, d.gradient, rules.rateD);
      }
      if (rules.train !== "d") {
        random.fillNormal(z);
        this.lossG = generatorLoss(g, d, z, real, BATCH, rules.loss).loss;
        this.optimizerG.step(g.values, g.gradient, rules.rateG);
      }
      this.steps += 1;
    }

    /** Points of the fixed latent vectors, and minus the derivative of G's loss at each.
     *
     * So an arrow shows which way, and how strongly, a step of gradient descent would move a point
     * if it were free; real stands in for the batch that the relativistic loss compares with.
     */
    look() {
      const n = SHOWN;
      const points = this.g.forward(this.fixed, n).slice(0, 2 * n);
      const logits = this.d.forward(points, n).slice(0, n);
      const slopes = this.d.backward(n, null).slice(0, 2 * n);
      const arrows = new Float64Array(2 * n);
      const { generator } = LOSSES[this.rules.loss];
      const reals = this.d.forward(this.real, n); // BATCH is not below SHOWN
      let [meanReal, meanFake] = [0, 0];
      for (let i = 0; i < n; i++) {
        const [, , derivative] = generator(reals[i], logits[i]);
        arrows[2 * i] = -derivative * slopes[2 * i];
        arrows[2 * i + 1] = -derivative * slopes[2 * i + 1];
        meanReal += reals[i] / n;
        meanFake += logits[i] / n;
      }
      return { points, arrows, middle: (meanReal + meanFake) / 2 };
    }

    /** D's logits at the centres of FIELD x FIELD cells of the picture, top row first. */
    field() {
      const x = new Float64Array(2 * FIELD * FIELD);
      for (let k = 0; k < FIELD * FIELD; k++) {
        x[2 * k] = REACH * ((2 * (k % FIELD) + 1) / FIELD - 1);
        x[2 * k + 1] = REACH * (1 - (2 * Math.floor(k / FIELD) + 1) / FIELD);
      }
      return this.d.forward(x, FIELD * FIELD).slice(0, FIELD * FIELD);
    }

    /** The modes that COUNTED points reach. */
    coverage() {
      return modeCoverage(this.g.forward(this.fixed, COUNTED), COUNTED, this.mixture);
    }
  }
  Trainer.WIDTHS = [32, 32, 32];
  Trainer.BETA_1 = 0.5;
  Trainer.BETA_2 = 0.99;

  const engine = {
    multiply, exp, log, softplus, sigmoid, Random, Network, Adam, LOSSES, PENALTIES, discriminatorLoss,
    generatorLoss, mixture, sampleMixture, modeCoverage, Trainer, BATCH, SHOWN, COUNTED, FIELD, REACH,
  };
  if (typeof module === "object" && module.exports) module.exports = engine;
  else root.gantutPlay = Object.assign(root.gantutPlay || {}, { engine });
})(typeof self === "object" ? self : this);
