"""The questions of a chapter, from book/quizzes/x.yml: read, checked, and as plain Markdown."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

DIRECTIVE = re.compile(r"^:::\{quiz\}\n:::$", re.MULTILINE)
QUESTIONS, ANSWERS = (3, 6), (3, 5)  # at least, at most
LONGEST_REASON = 240  # characters: some two lines on the page
# Of MyST the notebook would show the bare text.
RAW = re.compile(r"\{[\w:-]+\}`|^:::|```|\n\s*\n", re.MULTILINE)


class Answer(NamedTuple):
    """An answer to choose, and why it is right or wrong; both are Markdown."""

    text: str
    because: str
    right: bool

    @property
    def verdict(self) -> str:
        """What a reader who chooses it is told first."""
        return "Right." if self.right else "Wrong."


class Question(NamedTuple):
    """A question, in Markdown, and its answers in the order shown."""

    text: str
    answers: list[Answer]

    @property
    def several(self) -> bool:
        """Whether more than one answer is right."""
        return sum(answer.right for answer in self.answers) > 1

    @property
    def asked(self) -> str:
        """The text, and whether to look for more than one answer."""
        return self.text + " (Several answers are right.)" * self.several


def quiz_path(markdown: Path) -> Path:
    """Where the questions of a chapter are, given its .md file."""
    return markdown.parent / "quizzes" / f"{markdown.stem}.yml"


def letter(index: int) -> str:
    """By which an answer is called: a), b), ..."""
    return f"{'abcde'[index]})"


def _text_problems(where: str, entry: dict[str, Any], names: list[str]) -> list[str]:
    """What is wrong with the texts of a question or an answer."""
    problems = []
    for name in names:
        text = entry.get(name)
        if not isinstance(text, str) or not text.strip():
            problems.append(f"{where}: '{name}' is a text, not {text!r}")
        elif RAW.search(text) or text.count("$") % 2:
            problems.append(f"{where}: '{name}' is one paragraph of Markdown and $math$, no roles")
    return problems


def quiz_problems(data: Any) -> list[str]:
    """What is wrong with the content of a quiz file; empty if nothing is."""
    if not isinstance(data, list) or not QUESTIONS[0] <= len(data) <= QUESTIONS[1]:
        return [f"a quiz is a list of {QUESTIONS[0]} to {QUESTIONS[1]} questions"]
    problems = []
    places = set()
    for i, entry in enumerate(data, 1):
        if not isinstance(entry, dict) or set(entry) != {"question", "answers"}:
            problems.append(f"question {i}: has 'question' and 'answers', and nothing else")
            continue
        problems += _text_problems(f"question {i}", entry, ["question"])
        answers = entry["answers"]
        if not isinstance(answers, list) or not ANSWERS[0] <= len(answers) <= ANSWERS[1]:
            problems.append(f"question {i}: has {ANSWERS[0]} to {ANSWERS[1]} answers")
            continue
        for j, answer in enumerate(answers):
            where = f"question {i}, answer {letter(j)}"
            if not isinstance(answer, dict) or set(answer) - {"right"} != {"text", "because"}:
                problems.append(
                    f"{where}: has 'text', 'because' and, if it is right, 'right: true'"
                )
                continue
            problems += _text_problems(where, answer, ["text", "because"])
            if answer.get("right", True) is not True:
                problems.append(f"{where}: 'right' is true or left out")
            because = str(answer["because"])
            if len(because) > LONGEST_REASON or re.match(r"(?i)(right|wrong)\b", because):
                problems.append(
                    f"{where}: 'because' has at most {LONGEST_REASON} characters and leaves the "
                    "verdict to the page"
                )
        entries = [answer for answer in answers if isinstance(answer, dict)]
        right = [j for j, answer in enumerate(entries) if "right" in answer]
        if not 0 < len(right) < len(answers):
            problems.append(f"question {i}: some answer is right, and some is wrong")
        if len({str(answer.get("text")) for answer in entries}) < len(entries):
            problems.append(f"question {i}: two answers are the same")
        places.add(tuple(right))
    if not problems and len(places) == 1:
        problems.append("the right answer is at the same place in every question")
    return problems


def read_quiz(path: Path) -> list[Question]:
    """The questions in a quiz file; what breaks its format raises a ValueError that lists it."""
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: {error} (a text with ': ' needs quotes or >-)") from error
    if problems := quiz_problems(data):
        raise ValueError("\n".join(f"{path.name}: {problem}" for problem in problems))
    return [
        Question(
            entry["question"].strip(),
            [
                Answer(one["text"].strip(), one["because"].strip(), "right" in one)
                for one in entry["answers"]
            ],
        )
        for entry in data
    ]


def quiz_markdown(questions: list[Question]) -> str:
    """A quiz as any notebook shows it: the questions, and their answers folded away."""
    blocks = []
    for number, question in enumerate(questions, 1):
        choices = [f"- {letter(i)} {a.text}" for i, a in enumerate(question.answers)]
        reasons = [
            f"- {letter(i)} **{a.verdict}** {a.because}" for i, a in enumerate(question.answers)
        ]
        blocks += [
            f"**{number}.** {question.asked}",
            "\n".join(choices),
            f"<details><summary>Answers to question {number}</summary>",
            "\n".join(reasons),
            "</details>",
        ]
    return "\n\n".join(blocks)


def with_quiz(notebook: Any, markdown: Path) -> Any:
    """A chapter's notebook with its quiz in place of the directive, which Jupyter does not know."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := DIRECTIVE.search(cell.source)):
            shown = quiz_markdown(read_quiz(quiz_path(markdown)))
            cell.source = cell.source.replace(found[0], shown)
    return notebook
