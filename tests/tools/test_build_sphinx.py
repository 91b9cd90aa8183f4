"""The weekly build without Jupyter Book; make sphinx and make links run it."""

import json

import build_sphinx


def test_only_links_that_lead_nowhere_are_broken(tmp_path):
    answers = [
        ("working", ""),
        ("unchecked", ""),
        ("redirected", ""),
        ("broken", "403 Client Error: Forbidden for url"),
        ("broken", "404 Client Error: Not Found for url"),
        ("timeout", "no answer"),
    ]
    lines = [
        json.dumps({"filename": "a.md", "lineno": i, "status": s, "uri": f"u{i}", "info": info})
        for i, (s, info) in enumerate(answers)
    ]
    report = tmp_path / "output.json"
    report.write_text("\n".join(lines))
    broken = build_sphinx.broken_links(report)
    assert [line.partition(" (")[0] for line in broken] == ["a.md:4: u4", "a.md:5: u5"]
