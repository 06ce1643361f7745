"""The report for CI servers: JUnit XML, a suite for each case and a test for each check.

FAIL is a failure, UNKNOWN an error, SKIPPED a skip. CI servers judge by the tests alone, so what stands
above the checks gets tests of its own: the verdict of each case, and the verdict of the run in a suite `run`.
A run that is not PASS can therefore never look green.
"""

from __future__ import annotations

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.model import CaseRecord, Check, Record, Verdict
from harness.report.base import case_verdict, final_verdict, printable, reasons, summary
from harness.report.guide import Guide


class JUnitReporter:
    """JUnit XML for CI servers."""

    def render(self, record: Record, guide: Guide) -> str:
        """The report as an XML document."""
        document = JUnitXml(printable(record.plan))
        document.add_testsuite(_run_suite(record, guide))
        for case in record.cases:
            document.add_testsuite(_case_suite(case, guide))
        document.update_statistics()  # type: ignore[no-untyped-call] # no types in the library
        xml: bytes = document.tostring()  # type: ignore[no-untyped-call] # no types in the library
        return xml.decode("utf-8") + "\n"


def _run_suite(record: Record, guide: Guide) -> TestSuite:
    verdict = final_verdict(record, guide)
    # A run whose verdict is SKIPPED proved nothing; the exit status says the same.
    shown = Verdict.UNKNOWN if verdict is Verdict.SKIPPED else verdict
    detail = record.error or "record.json holds the whole run"
    suite = TestSuite("run")
    suite.add_testcase(_test("verdict", "run", 0.0, shown, " ".join(summary(record, guide)), detail))
    return suite


def _case_suite(case: CaseRecord, guide: Guide) -> TestSuite:
    suite = TestSuite(printable(case.name))
    for check in case.checks:
        suite.add_testcase(_check_test(case, check))
    verdict = case_verdict(case, guide)
    message = f"the case is {verdict.value}"
    suite.add_testcase(_test("verdict", case.name, 0.0, verdict, message, message))
    return suite


def _check_test(case: CaseRecord, check: Check) -> TestCase:
    found = reasons(check)
    detail = "\n".join(
        f"{finding.code} ({finding.verdict.value}): {finding.message}"
        + (f"\n  witness: {finding.witness}" if finding.witness else "")
        for finding in found
    )
    return _test(check.name, case.name, check.duration_s, check.verdict, found[0].message, detail)


def _test(
    name: str, classname: str, duration_s: float, verdict: Verdict, message: str, detail: str
) -> TestCase:
    test = TestCase(printable(name), classname=printable(classname), time=duration_s)
    if verdict is not Verdict.PASS:
        result = _RESULTS[verdict](printable(message), verdict.value)
        result.text = printable(detail)
        test.result = [result]
    return test


_RESULTS = {Verdict.FAIL: Failure, Verdict.UNKNOWN: Error, Verdict.SKIPPED: Skipped}
