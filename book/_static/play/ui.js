/* What the widgets of the page share: making elements, the theme's colours, sharp canvases, links,
 * loading what only some readers open. */
(function (root) {
  "use strict";

  const FOLDER = document.currentScript.src; // known only while the script itself runs

  /** Makes an element: h("button", { type: "button", onclick }, "Play"). */
  function h(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  let count = 0;

  /** A label and its control, tied to each other. */
  function labelled(text, control, unit) {
    control.id = control.id || `gp-control-${(count += 1)}`;
    const label = h("label", { for: control.id }, text);
    return h("div", { class: "gp-field" }, label, control, ...(unit ? [unit] : []));
  }

  /** A select from { value: text }. */
  function select(options, value, onchange) {
    const element = h("select", { onchange });
    for (const [key, text] of Object.entries(options)) {
      element.append(h("option", { value: key }, text));
    }
    element.value = value;
    return element;
  }

  /** A group of radio buttons from { value: text }; its .value is the chosen one's. */
  function radios(legend, options, value, onchange) {
    const name = `gp-radio-${(count += 1)}`;
    const group = h("fieldset", { class: "gp-radios" }, h("legend", {}, legend));
    for (const [key, text] of Object.entries(options)) {
      const input = h("input", { type: "radio", name, value: key, onchange });
      input.checked = key === value;
      group.append(h("label", {}, input, " ", text));
    }
    Object.defineProperty(group, "value", {
      get: () => group.querySelector("input:checked").value,
      set: (key) => {
        for (const input of group.querySelectorAll("input")) input.checked = input.value === key;
      },
    });
    return group;
  }

  const LIGHT = {
    ground: [255, 255, 255], real: [86, 160, 211], fake: [240, 165, 80], dataDot: "#00497a",
    fakeDot: "#b63d00", rim: "#ffffff", ink: "#333333", faint: "#c8c8c8", line: "#00497a",
    second: "#b63d00",
  };
  const DARK = {
    ground: [28, 31, 36], real: [30, 98, 150], fake: [150, 82, 20], dataDot: "#9fd4ff",
    fakeDot: "#ffb27a", rim: "#14181d", ink: "#e6e6e6", faint: "#55595f", line: "#9fd4ff",
    second: "#ffb27a",
  };

  /** The colours of a picture in the theme of the moment: blue is real, orange is generated. */
  function colours() {
    return document.documentElement.dataset.theme === "dark" ? DARK : LIGHT;
  }

  /** Calls redraw whenever the theme or the size of an element changes. */
  function onChange(element, redraw) {
    new MutationObserver(redraw).observe(document.documentElement, {
      attributes: true,
      attributeFilter: ["data-theme"],
    });
    if (typeof ResizeObserver === "function") new ResizeObserver(redraw).observe(element);
  }

  /** Fits a canvas to its size on the page; gives its context in CSS pixels, cleared. */
  function prepare(canvas) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const width = canvas.clientWidth || 300;
    const height = canvas.clientHeight || 300;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "12px sans-serif";
    return { context, width, height };
  }

  /** A region that screen readers read out; at most one message every few seconds. */
  class Announcer {
    constructor() {
      this.element = h("p", { class: "gp-said", role: "status", "aria-live": "polite" });
      this.last = 0;
    }

    /** Says it once nothing newer has come for a moment: not while a slider is on its way. */
    settle(text) {
      clearTimeout(this.waiting);
      this.element.textContent = "";
      this.waiting = setTimeout(() => this.say(text, true), 700);
    }

    say(text, always) {
      clearTimeout(this.waiting);
      const now = Date.now();
      if (!always && now - this.last < 5000) return;
      this.last = now;
      this.element.textContent = text;
    }
  }

  /** The settings in the address bar for a widget: #name?key=value&... gives URLSearchParams. */
  function fromAddress(name) {
    const [target, settings] = window.location.hash.slice(1).split("?");
    return target === name && settings ? new URLSearchParams(settings) : null;
  }

  /** A button that puts a link to the settings into the address bar, a field and the clipboard. */
  function linkMaker(name, settings) {
    const field = h("input", { type: "text", readonly: true, hidden: true, "aria-label": "Link" });
    const button = h("button", { type: "button" }, "Link to this state");
    button.addEventListener("click", () => {
      const address = new URL(window.location.href);
      address.hash = `${name}?${settings()}`;
      field.value = address.href;
      // Unlike an assignment to the address this does not count as opening the link.
      window.history.replaceState(null, "", address.hash);
      field.hidden = false;
      field.select();
      if (navigator.clipboard) navigator.clipboard.writeText(field.value).catch(() => {});
    });
    return h("div", { class: "gp-link" }, button, field);
  }

  /** Restores a widget now if the address names it, and whenever the address or a button does. */
  function onSettings(name, restore) {
    const holder = document.getElementById(name);
    const read = () => {
      const settings = fromAddress(name);
      if (settings) {
        restore(settings);
        holder.scrollIntoView();
      }
    };
    window.addEventListener("hashchange", read);
    for (const button of document.querySelectorAll(`button[data-widget="${name}"]`)) {
      button.hidden = false;
      button.addEventListener("click", () => {
        restore(new URLSearchParams(button.dataset.settings));
        holder.scrollIntoView({ block: "nearest" });
      });
    }
    read();
  }

  const loaded = new Map();

  /** Runs a script once; its path begins at the folder of this one. */
  function loadScript(path) {
    if (!loaded.has(path)) {
      loaded.set(path, new Promise((resolve, reject) => {
        const script = h("script", { src: new URL(path, FOLDER).href, onload: resolve, onerror: () => {
          script.remove();
          loaded.delete(path); // so that the reader can try again
          reject(new Error(`${path} cannot be loaded`));
        } });
        document.head.append(script);
      }));
    }
    return loaded.get(path);
  }

  /** Opens a widget when the reader asks for it, by its button, a button of the text or a link.
   *
   * Until then its place holds the figure that also stands where scripts are off. Then the scripts
   * are loaded in turn, and build(holder) makes the widget in the figure's place.
   */
  function opener(name, text, scripts, build) {
    const holder = document.getElementById(name);
    const announcer = new Announcer();
    let opening = null;
    const load = async () => {
      announcer.say("Loading", true);
      for (const script of scripts) await loadScript(script);
      const hadFocus = document.activeElement === button;
      holder.replaceChildren();
      await build(holder);
      if (hadFocus) holder.querySelector("input, select, button, [tabindex]").focus();
    };
    const still = [...holder.childNodes];
    const open = () => {
      opening = opening || load().catch((error) => {
        opening = null;
        holder.replaceChildren(...still, button, announcer.element);
        announcer.say(`This did not work: ${error.message}.`, true);
        throw error;
      });
      return opening;
    };
    const button = h("button", { type: "button", class: "gp-main", onclick: () => open().catch(() => {}) },
      text);
    holder.append(button, announcer.element);
    for (const shortcut of document.querySelectorAll(`button[data-widget="${name}"]`)) {
      shortcut.hidden = false;
      shortcut.addEventListener("click", () => open().then(() => shortcut.click(), () => {}),
        { once: true });
    }
    const read = () => {
      if (fromAddress(name)) open().catch(() => {});
    };
    window.addEventListener("hashchange", read);
    read();
  }

  /** Adds an arrow to a canvas' path, from one point to another, with a head of a length. */
  function arrow(context, [x, y], [u, v], head) {
    const angle = Math.atan2(v - y, u - x);
    context.moveTo(x, y);
    context.lineTo(u, v);
    for (const turn of [2.6, -2.6]) {
      context.moveTo(u, v);
      context.lineTo(u + head * Math.cos(angle + turn), v + head * Math.sin(angle + turn));
    }
  }

  root.gantutPlay = Object.assign(root.gantutPlay || {}, {
    ui: {
      h, arrow, labelled, select, radios, colours, onChange, prepare, Announcer, linkMaker, onSettings,
      opener,
    },
  });
})(self);
