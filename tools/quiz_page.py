"""Sphinx's directive ``{quiz}``: the questions of the page's quiz file, as forms.

Each question is a form of its own. ``book/_static/quiz.js`` checks the answers; without it the
reasons are in a ``<details>``. What is no web page shows questions, answers and reasons as text.
"""

import html
from typing import Any

from docutils import nodes
from project import ROOT
from quiz import Question, letter, quiz_path, read_quiz
from sphinx.util.docutils import SphinxDirective


class QuizPart(nodes.General, nodes.Element):
    """A piece of a quiz: in HTML between two tags, elsewhere a paragraph."""


class QuizText(nodes.General, nodes.TextElement):
    """A question, an answer or a reason, which the gettext builder extracts for translators."""


def open_html(self: Any, node: QuizPart) -> None:
    """Writes what stands before a part; the script only where it can be run."""
    if not node.get("script") or self.builder.name in ("html", "dirhtml"):
        self.body.append(node["open"])


def close_html(self: Any, node: QuizPart) -> None:
    """Writes what stands after a part."""
    self.body.append(node["close"])


def open_latex(self: Any, node: QuizPart) -> None:
    """Begins a paragraph."""
    self.body.append("\n\n")


def open_text(self: Any, node: QuizPart) -> None:
    """Begins a paragraph."""
    self.new_state(0)


def close_text(self: Any, node: QuizPart) -> None:
    """Ends a paragraph."""
    self.end_state()


def part(opening: str, closing: str, *children: nodes.Node, **attributes: Any) -> QuizPart:
    """A part with its tags."""
    return QuizPart("", *children, open=opening, close=closing, **attributes)


def text(markdown: str, source: str, *children: nodes.Node) -> QuizText:
    """A text of the file ``source``, parsed into ``children``."""
    node = QuizText(markdown, "", *children)
    node.source, node.line = source, 1
    return node


class Quiz(SphinxDirective):
    """``{quiz}``, without an argument: the questions in quizzes/x.yml for the page x."""

    def inline(self, markdown: str) -> list[nodes.Node]:
        """Markdown of one paragraph, as on the page around it."""
        found, messages = self.state.inline_text(markdown, self.lineno)
        path = quiz_path(ROOT / f"{self.env.docname}.md")
        return [text(markdown, str(path), *found), *messages]

    def question(self, number: int, question: Question) -> QuizPart:
        """A form with one question."""
        kind = "checkbox" if question.several else "radio"
        choices, reasons = part("<ul>", "</ul>\n"), part("<ul>", "</ul>")
        for index, answer in enumerate(question.answers):
            choices += part(
                f'<li><label><input type="{kind}" name="answer" value="{index}" /><span>',
                "</span></label></li>\n",
                nodes.Text(f"{letter(index)} "),
                *self.inline(answer.text),
            )
            right = ' class="right"' if answer.right else ""
            reasons += part(
                f"<li{right}>",
                "</li>\n",
                nodes.Text(f"{letter(index)} "),
                nodes.strong("", answer.verdict),
                nodes.Text(" "),
                *self.inline(answer.because),
            )
        return part(
            '<form class="quiz" autocomplete="off"><fieldset>\n',
            '</fieldset></form>\n',
            part(
                "<legend>",
                "</legend>\n",
                nodes.Text(f"{number}. "),
                *self.inline(question.asked),
            ),
            choices,
            part('<button type="submit" hidden>Check</button>\n<div class="feedback">', "</div>\n",
                 part("<details><summary>Answers</summary>", "</details>\n", reasons),
                 part('<div role="status">', "</div>")),
        )  # fmt: skip

    def run(self) -> list[nodes.Node]:
        """Makes the forms, and the script below them: run before what follows is shown."""
        path = quiz_path(ROOT / f"{self.env.docname}.md")
        self.env.note_dependency(str(path))
        try:
            questions = read_quiz(path)
        except (OSError, ValueError) as error:
            raise self.error(str(error)) from error
        script = "../" * self.env.docname.count("/") + "_static/quiz.js"
        return [
            *(self.question(number, question) for number, question in enumerate(questions, 1)),
            part(f'<script src="{html.escape(script)}"></script>\n', "", script=True),
        ]


def nothing(self: Any, node: nodes.Node) -> None:
    """Writes nothing."""


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_node(
        QuizPart,
        html=(open_html, close_html),
        latex=(open_latex, nothing),
        text=(open_text, close_text),
    )
    app.add_node(QuizText, html=(nothing,) * 2, latex=(nothing,) * 2, text=(nothing,) * 2)
    app.add_directive("quiz", Quiz)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
