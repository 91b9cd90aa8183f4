"""Each answer to each question of the book is chosen once, and the page says what it should."""

import re

import project
import pytest
import quiz
import vendor
from project import BUILD, ROOT

pytestmark = pytest.mark.built

HTML = BUILD / "html"
PAGES = [page for page in project.chapters() if quiz.quiz_path(ROOT / f"{page}.md").exists()]
DRAWN = "() => MathJax.startup.promise.then(() => true)"
# For each question: what is said if nothing is chosen, if all that is right is, if everything is,
# and for each answer alone; and the heights that the form had on the way.
CHOOSE = """() => {
  const text = (element) => {
    const copy = element.cloneNode(true);
    for (const formula of copy.querySelectorAll(".math")) formula.replaceWith(" ");
    return copy.textContent;
  };
  return [...document.querySelectorAll("form.quiz")].map((form) => {
    const inputs = [...form.querySelectorAll("input")];
    const status = form.querySelector("[role=status]");
    const heights = new Set();
    const say = (wanted) => {
      inputs.forEach((input, i) => {
        if (input.type === "radio") input.checked = false;
        if (wanted.includes(i) !== input.checked) input.click();
      });
      if (wanted.length && status.textContent) return "what was said of another choice stays";
      form.querySelector("button").click();
      heights.add(form.offsetHeight);
      return text(status);
    };
    const all = inputs.map((_, i) => i);
    const right = all.filter((i) => form.querySelectorAll("details li")[i].matches(".right"));
    const nothing = say([]);
    const alone = all.map((i) => say([i]));
    return {
      nothing, alone, right, heights: [...heights], kinds: inputs.map((input) => input.type),
      several: inputs[0].type === "checkbox" ? [say(right), say(all)] : [],
      shown: inputs.map((input) => text(input.labels[0])),
      question: text(form.querySelector("legend")),
    };
  });
}"""
AXE = """() => axe.run("form.quiz", {preload: false, resultTypes: ["violations"]}).then(
  (found) => found.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.failureSummary}`)))"""


def words(text):
    """The words of Markdown or of a page's text, without formulas and addresses."""
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"\$[^$]*\$", " ", text))
    return re.findall(r"[^\W_]+", text)


def open_page(browser, page, **options):
    """The page in a tab of its own, with its formulas drawn where scripts run."""
    tab = browser.new_context(**options).new_page()
    tab.context.set_default_timeout(120_000)
    tab.goto((HTML / f"{page}.html").as_uri())
    if options.get("java_script_enabled", True):
        tab.wait_for_function(DRAWN)
    return tab


@pytest.mark.parametrize("page", PAGES)
def test_each_answer_gets_its_verdict_and_its_reason(page, browser):
    questions = quiz.read_quiz(quiz.quiz_path(ROOT / f"{page}.md"))
    tab = open_page(browser, page)
    for question, said in zip(questions, tab.evaluate(CHOOSE), strict=True):
        assert words(said["question"])[1:][: len(words(question.text))] == words(question.text)
        assert said["nothing"] == "Choose an answer first."
        assert set(said["kinds"]) == {"checkbox" if question.several else "radio"}
        right = [i for i, answer in enumerate(question.answers) if answer.right]
        assert said["right"] == right
        for i, answer in enumerate(question.answers):
            name = quiz.letter(i)
            assert words(said["shown"][i]) == words(f"{name} {answer.text}")
            expected = f"{name} {answer.verdict} {answer.because}"
            if question.several:
                so_far = "Right so far, but there is more." if answer.right else (
                    "Not all of these are right."
                )  # fmt: skip
                expected = f"{so_far} {expected}"
            # The reason for this answer, and nothing about the others.
            assert words(said["alone"][i]) == words(expected)
        if question.several:
            assert said["several"][0].startswith("These are all.")
            assert said["several"][1].startswith("Not all of these are right.")
        else:
            assert len(said["heights"]) == 1, "the page below moves"
    tab.context.close()


def test_a_question_is_answered_by_keyboard_alone_and_seen_in_both_themes(browser):
    tab = open_page(browser, PAGES[0])
    form = tab.locator("form.quiz").first
    form.locator("input").first.focus()
    tab.keyboard.press("Space")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert re.match(r"a\) (Right|Wrong)\. \w+", form.get_by_role("status").inner_text())
    tab.evaluate("() => document.querySelectorAll('form.quiz button').forEach((b) => b.click())")
    tab.evaluate(vendor.AXE.read_text("utf-8"))
    for theme in ("light", "dark"):
        tab.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        assert tab.evaluate(AXE) == []
    tab.context.close()


def test_without_scripts_the_reasons_unfold(browser):
    tab = open_page(browser, PAGES[0], java_script_enabled=False)
    form = tab.locator("form.quiz").first
    reasons = form.locator("details li")
    assert not reasons.first.is_visible()
    assert not form.locator("button").is_visible()
    form.locator("summary").click()
    assert reasons.first.is_visible()
    tab.context.close()
