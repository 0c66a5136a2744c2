#!/usr/bin/env python3
"""check_docs.py on snippets: what it must say, and what it must leave alone."""
import pathlib
import tempfile
import unittest

import check_docs

CASES = [  # text, a part of the one problem wanted, or None
    ("[map](ARCHITECTURE.md)", None),
    ("[map](ARCHITECTURE.md#modules)", None),
    ("[map](ABSENT.md)", "leads nowhere"),
    ("[spec](https://example.org/none.md)", None),
    ("see `src/model/`", None),
    ("see `src/absent/task.hpp`", "src/absent/task.hpp does not exist"),
    ("copy `docs/decisions/NNNN-title.md`", None),
    ("```\n[map](none.md) `src/none`\n```", None),
    ("```\ncd /work/main\n```", "one machine"),
    ("run `/home/ada/reeve up`", "one machine"),
    ("kept in `/var/lib/reeve`", None),
    ("x\n" * 151, "151 lines"),
]


class CheckDocsTest(unittest.TestCase):
    def test_cases(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "ARCHITECTURE.md").write_text("")
            (root / "src" / "model").mkdir(parents=True)
            for text, want in CASES:
                with self.subTest(text=text[:60]):
                    found = [problem for _, problem in check_docs.problems("README.md", text, root)]
                    self.assertEqual(len(found), 0 if want is None else 1, found)
                    self.assertIn(want or "", "".join(found))

    def test_configuration_keys(self):
        source = '        {"data",     set(as_text)},\n        {"node.name",\n'
        page = "| key | what |\n| `data` | where |\n| `node.nam` | what |\n"
        self.assertEqual(
            [problem for _, problem in check_docs.undocumented_keys(source, page)],
            ["the key node.name has no row", "there is no key node.nam"],
        )


if __name__ == "__main__":
    unittest.main()
