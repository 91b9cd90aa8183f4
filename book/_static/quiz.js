/* Checks the answers to a chapter's questions and says why each is right or wrong. The reasons are
 * in the page; without this script they can be unfolded. */
(() => {
  "use strict";

  /** What the reader who chose these is told first, where several answers are right. */
  function summary(chosen, right) {
    if (chosen.some((reason) => !right.includes(reason))) return "Not all of these are right.";
    return chosen.length < right.length ? "Right so far, but there is more." : "These are all.";
  }

  /** A copy of reasons for another place; an id can be in a page only once. */
  function copied(reasons) {
    const list = document.createElement("ul");
    list.append(...reasons.map((reason) => reason.cloneNode(true)));
    for (const element of list.querySelectorAll("[id]")) element.removeAttribute("id");
    return list;
  }

  for (const form of document.querySelectorAll("form.quiz")) {
    const inputs = [...form.elements.answer];
    const details = form.querySelector("details");
    const reasons = [...details.querySelectorAll("li")];
    const right = reasons.filter((reason) => reason.classList.contains("right"));
    const status = form.querySelector("[role=status]");
    // Open, but invisible (quiz.css): the reasons keep the place where one will be shown.
    details.open = true;
    form.dataset.ready = "";
    form.querySelector("button").hidden = false;
    form.addEventListener("change", () => status.replaceChildren());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = reasons.filter((_, index) => inputs[index].checked);
      status.replaceChildren();
      if (!chosen.length) status.append("Choose an answer first.");
      else if (right.length > 1) status.append(summary(chosen, right), copied(chosen));
      else status.append(copied(chosen));
    });
  }
})();
