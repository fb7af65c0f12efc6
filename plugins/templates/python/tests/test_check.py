"""The check against its service, without a socket and without the host."""

import json
import random
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "cases")]

import service
from check import Walk, next_page
from mustdo import FAIL, INCONCLUSIVE, MUST, PASS, SHOULD, Context, Failure, Report, Response, Text, fail, skip


class Double:
    """Stands in for the host: a GET is a call of `answer`."""

    def __init__(self, answer):
        self.answer = answer

    def send(self, method, path, headers={}, body=b""):
        status, headers, body = self.answer(path)
        return Response(status, {name.lower(): [value] for name, value in headers.items()}, body)


def conclude(answer, **params):
    check = Walk()
    context = Context({**check.defaults(), **params}, random.Random(1), lambda target: Double(answer))
    return check.run(context).conclusion()


class WalkTest(unittest.TestCase):
    def test_right_service_passes(self):
        self.assertEqual(conclude(service.answer)[0], PASS)

    def test_every_flaw_fails(self):
        for flaw in service.FLAWS:
            status, summary = conclude(lambda path: service.answer(path, flaw))
            self.assertEqual(status, FAIL, f"{flaw}: {summary.en}")

    def test_what_can_not_be_told_is_inconclusive(self):
        few = lambda path: (200, {}, json.dumps(service.ROWS[:3]).encode())
        cases = {
            "no such path": (service.answer, {"path": "/none"}),
            "few rows": (few, {}),
            "page size ignored": (lambda path: service.answer("/items?limit=10"), {}),
            "no such member": (service.answer, {"id": "key"}),
            "no JSON": (lambda path: (200, {}, b"<p>hello"), {}),
            "too many pages": (service.answer, {"pages": 2}),
        }
        for name, (answer, params) in cases.items():
            self.assertEqual(conclude(answer, **params)[0], INCONCLUSIVE, name)

    def test_list_that_grows_is_not_judged(self):
        rows = list(service.ROWS)

        def growing(path):
            rows.append({"id": f"row-{len(rows)}"})
            service.ROWS, kept = rows, service.ROWS
            try:
                return service.answer(path)
            finally:
                service.ROWS = kept

        self.assertEqual(conclude(growing)[0], INCONCLUSIVE)

    def test_service_that_is_down_is_inconclusive(self):
        def down(path):
            raise Failure(Text("refused", "拒绝"))

        self.assertEqual(conclude(down), (INCONCLUSIVE, Text("refused", "拒绝")))

    def test_links_are_read_as_the_standard_says(self):
        self.assertEqual(next_page('<?page=2>; rel="next"', "/items"), "/items?page=2")
        self.assertEqual(next_page("</a>; rel=prev, <http://x/b?c=1>; title=\"a, b\"; rel=\"last next\"", "/items"), "/b?c=1")
        self.assertIsNone(next_page('</a>; rel="nextish", </b>', "/items"))
        self.assertIsNone(next_page(None, "/items"))


class VerdictTest(unittest.TestCase):
    def conclude(self, *steps):
        report = Report(Text("all good", "都好"))
        for number, (need, fault) in enumerate(steps):
            report.judge(f"step-{number}", need, lambda: self.take(fault), lambda _: Text("held", "成立"))
        return report.conclusion()[0], report.score()

    @staticmethod
    def take(fault):
        if fault:
            raise fault

    def test_status_follows_from_the_steps(self):
        broke, unknown, absent = fail("broke", ""), Failure(Text("", "")), skip("", "")
        self.assertEqual(self.conclude((MUST, unknown), (MUST, broke), (MUST, None))[0], FAIL)
        self.assertEqual(self.conclude((MUST, None), (MUST, unknown))[0], INCONCLUSIVE)
        self.assertEqual(self.conclude((SHOULD, None)), (INCONCLUSIVE, 1.0))
        self.assertEqual(self.conclude((MUST, absent)), (INCONCLUSIVE, None))
        self.assertEqual(self.conclude((MUST, None), (SHOULD, broke), (SHOULD, None)), (PASS, 0.9))


if __name__ == "__main__":
    unittest.main()
