// The definition of a term next to its link, while one of the two is pointed at or the link has the
// focus; Escape hides it. One file has the definitions for all pages, and is loaded when first wanted.
(() => {
  const source = new URL("terms.js", document.currentScript.src).href;
  const tip = Object.assign(document.createElement("div"), { id: "term-tip", hidden: true });
  tip.setAttribute("role", "tooltip");
  let wanted = null, timer, loading;
  const load = () => (loading ??= new Promise((done) => {
    document.head.append(Object.assign(document.createElement("script"), { src: source, onload: done, onerror: done }));
  }));
  const hide = () => {
    clearTimeout(timer);
    wanted?.removeAttribute("aria-describedby");
    wanted = null;
    tip.hidden = true;
  };
  const show = async (link) => {
    hide();
    wanted = link;
    await load();
    const definition = window.gantutTerms?.[decodeURIComponent(link.hash.slice(1))];
    if (!definition || wanted !== link) return;
    tip.innerHTML = definition;
    link.closest("article").append(tip);
    tip.hidden = false;
    await window.MathJax?.typesetPromise?.([tip]);
    const at = link.getClientRects()[0], origin = tip.offsetParent?.getBoundingClientRect();
    if (wanted !== link || !origin) return;
    const below = at.bottom + tip.offsetHeight < innerHeight || at.top < tip.offsetHeight + 60;
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8));
    tip.style.left = `${left - origin.left}px`;
    tip.style.top = `${(below ? at.bottom : at.top - tip.offsetHeight) - origin.top}px`;
    link.setAttribute("aria-describedby", tip.id);
  };
  const later = (action, delay) => { clearTimeout(timer); timer = setTimeout(action, delay); };
  for (const link of document.querySelectorAll('article a[href*="#term-"]:not(.headerlink)')) {
    link.addEventListener("mouseenter", () => later(() => show(link), 150));
    link.addEventListener("mouseleave", () => later(hide, 300));
    link.addEventListener("focus", () => link.matches(":focus-visible") && show(link));
    link.addEventListener("blur", hide);
  }
  tip.addEventListener("mouseenter", () => clearTimeout(timer));
  tip.addEventListener("mouseleave", () => later(hide, 300));
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
})();
