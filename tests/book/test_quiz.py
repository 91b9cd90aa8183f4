"""Each chapter's questions are well formed, and shown on the page and in the notebook."""

import copy
import re
from html.parser import HTMLParser

import project
import pytest
import quiz
import sync_notebooks
import yaml
from project import BOOK, ROOT
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

CHAPTERS = project.chapters()
WITHOUT = {project.toc_pages()[0]}  # the opening has nothing to ask about yet
PLACE = re.compile(r"\n## Check yourself\n\n:::\{quiz\}\n:::\n\n## (Recap|Exercises)\n")
GOOD = [
    {
        "question": "How large is $x^2$ for $x = 2$?",
        "answers": [
            {"text": "2", "because": "That is $x$."},
            {"text": "4", "because": "It is $2 \\cdot 2$.", "right": True},
            {"text": "$8$", "because": "That is $x^3$ & more."},
        ],
    },
    {
        "question": "Which are *even*?",
        "answers": [
            {"text": "2", "because": "Divisible by 2.", "right": True},
            {"text": "4", "because": "Twice 2.", "right": True},
            {"text": "5", "because": "It leaves 1."},
        ],
    },
    {
        "question": "Which is odd?",
        "answers": [
            {"text": "1", "because": "It leaves 1.", "right": True},
            {"text": "2", "because": "It leaves 0."},
            {"text": "4", "because": "It leaves 0, too."},
        ],
    },
]


def test_each_chapter_but_the_opening_has_questions():
    assert {f"book/{path.stem}" for path in (BOOK / "quizzes").iterdir()} == {
        page for page in CHAPTERS if page not in WITHOUT
    }
    assert set(CHAPTERS) >= WITHOUT


@pytest.mark.parametrize("page", [page for page in CHAPTERS if page not in WITHOUT])
def test_a_chapters_questions_are_well_formed_and_have_their_place(page):
    markdown = ROOT / f"{page}.md"
    questions = quiz.read_quiz(quiz.quiz_path(markdown))
    text = markdown.read_text("utf-8")
    assert len(PLACE.findall(text)) == 1
    assert text.count("{quiz}") == 1
    notebook = (ROOT / f"{page}.ipynb").read_text("utf-8")
    assert "{quiz}" not in notebook
    assert notebook.count("<details><summary>Answers to question ") == len(questions)


def write(folder, data):
    """A quiz file with ``data``."""
    path = folder / "quizzes/x.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(data), "utf-8")
    return path


def broken(change):
    """The good quiz after ``change``."""
    data = copy.deepcopy(GOOD)
    change(data, data[0]["answers"])
    return data


def test_a_good_quiz_is_read(tmp_path):
    first, second, third = quiz.read_quiz(write(tmp_path, GOOD))
    assert [answer.right for answer in first.answers] == [False, True, False]
    assert [q.several for q in (first, second, third)] == [False, True, False]
    assert first.answers[0] == quiz.Answer("2", "That is $x$.", False)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda q, a: q.pop(), "a list of 3 to 6"),
        (lambda q, a: q.extend(q * 2), "a list of 3 to 6"),
        (lambda q, a: q.insert(0, "Why?"), "question 1: has 'question' and 'answers'"),
        (lambda q, a: q[0].update(hint="4"), "question 1: has 'question' and 'answers'"),
        (lambda q, a: q[0].update(question=" "), "'question' is a text"),
        (lambda q, a: q[0].update(question="See {numref}`a-figure`."), "no roles"),
        (lambda q, a: q[0].update(question="Two\n\nparagraphs"), "one paragraph"),
        (lambda q, a: a.pop(), "3 to 5 answers"),
        (lambda q, a: a.extend(a), "3 to 5 answers"),
        (lambda q, a: a[0].pop("because"), "answer a): has 'text', 'because'"),
        (lambda q, a: a[2].update(because=""), "answer c): 'because' is a text"),
        (lambda q, a: a[2].update(because="Wrong, it is 4."), "leaves the verdict"),
        (lambda q, a: a[2].update(because="So " * 100), "at most"),
        (lambda q, a: a[2].update(text=4), "'text' is a text"),
        (lambda q, a: a[2].update(text="4"), "two answers are the same"),
        (lambda q, a: a[2].update(text="$4"), "math"),
        (lambda q, a: a[0].update(right=False), "true or left out"),
        (lambda q, a: a[1].pop("right"), "some answer is right"),
        (lambda q, a: [one.update(right=True) for one in a], "some answer is right"),
        (lambda q, a: q.__setitem__(slice(1, 3), [q[0], q[0]]), "at the same place"),
    ],
)
def test_a_bad_quiz_is_refused_with_the_place(tmp_path, change, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        quiz.read_quiz(write(tmp_path, broken(change)))


def test_a_file_that_is_no_yaml_is_named(tmp_path):
    path = write(tmp_path, GOOD)
    path.write_text("- question: So: what?\n", "utf-8")
    with pytest.raises(ValueError, match=r"x\.yml: mapping values"):
        quiz.read_quiz(path)


def test_the_notebook_follows_the_quiz_file(tmp_path, monkeypatch, chapter_header):
    monkeypatch.setattr(sync_notebooks, "ROOT", tmp_path)
    (tmp_path / "book").mkdir()
    markdown = tmp_path / "book/x.md"
    markdown.write_text(f"{chapter_header}\n# X\n\n:::{{quiz}}\n:::\n\n## Recap\n", "utf-8")
    write(tmp_path / "book", GOOD)
    assert sync_notebooks.sync(markdown)
    assert sync_notebooks.pair_problems("book/x", tmp_path) == []
    assert "{quiz}" in markdown.read_text("utf-8")
    shown = project.jupytext.read(markdown.with_suffix(".ipynb")).cells[0].source
    before, after = shown.split("<summary>Answers to question 1</summary>")
    assert "- b) 4\n" in before
    assert "**" not in before.split("1.**")[1]  # the right one is not marked
    assert "- b) **Right.** It is $2 \\cdot 2$." in after
    assert "- a) **Wrong.** That is $x$." in after
    assert "Which are *even*? (Several answers are right.)" in after
    write(tmp_path / "book", broken(lambda q, a: a[0].update(text="3")))
    (problem,) = sync_notebooks.pair_problems("book/x", tmp_path)
    assert "make sync" in problem


class Forms(HTMLParser):
    """The questions of a page: their inputs' types, and the text inside some kinds of tag."""

    def __init__(self, text):
        super().__init__()
        self.forms = []
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "form" and dict(attrs).get("class") == "quiz":
            self.forms.append({"inputs": [], "right": []})
        elif tag == "input" and self.forms:
            self.forms[-1]["inputs"].append(dict(attrs).get("type"))
        elif tag == "li" and "details" in self.open:
            self.forms[-1]["right"].append(dict(attrs).get("class") == "right")
        if tag not in ("input", "meta", "link", "br", "hr", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        for tag in {"legend", "label", "details"} & set(self.open):
            self.forms[-1][tag] = self.forms[-1].get(tag, "") + data


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A function that builds a page with the good quiz; returns the file's text."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "x.md").write_text("# X\n\n:::{quiz}\n:::\n", "utf-8")
    write(folder, GOOD)
    settings = {
        "extensions": ["myst_parser", "quiz_page"],
        "myst_enable_extensions": ["colon_fence", "dollarmath"],
        "root_doc": "x",
        "project": "x",
    }

    def build(builder, name):
        with pytest.MonkeyPatch.context() as patch, docutils_namespace():
            patch.setattr("quiz_page.ROOT", folder)
            out = folder / builder
            trees = folder / f".trees-{builder}"
            app = Sphinx(folder, None, out, trees, builder, settings, status=None,
                         warningiserror=True)  # fmt: skip
            app.build(force_all=True)
        return (out / name).read_text("utf-8")

    return build


def test_the_page_has_a_form_for_each_question_and_the_reasons_without_a_script(built):
    text = built("html", "x.html")
    assert text.count('src="_static/quiz.js"') == 1
    first, second, _ = Forms(text).forms
    assert first["inputs"] == ["radio"] * 3
    assert second["inputs"] == ["checkbox"] * 3
    assert first["right"] == [False, True, False]
    assert second["right"] == [True, True, False]
    assert "1. How large is \\(x^2\\) for \\(x = 2\\)?" in first["legend"]
    assert "Several answers are right" in second["legend"]
    assert "b) 4" in first["label"]
    assert "c) Wrong. That is \\(x^3\\) & more." in first["details"]
    assert "<em>even</em>" in text


@pytest.mark.parametrize(("builder", "name"), [("latex", "x.tex"), ("text", "x.txt")])
def test_what_is_no_web_page_has_the_questions_and_the_reasons(built, builder, name):
    text = built(builder, name)
    assert "How large is" in text
    assert "c) " in text
    assert "That is" in text
    assert "<" not in text


def test_translators_get_the_questions_the_answers_and_the_reasons(built):
    text = built("gettext", "x.pot")
    assert 'msgid "How large is $x^2$ for $x = 2$?"' in text
    assert 'msgid "That is $x^3$ & more."' in text
