/** What Vitest's JSON report counts. A file that could not be run at all is one failure. */
export function countTests(report) {
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

/** `120 passed, 0 failed`, and what was skipped. Each further check that failed counts as one. */
export function closingLine({ passed, failed, skipped, exitCode = 0 }, failedChecks = 0) {
  // An error outside any test, such as an unhandled rejection, fails the run and no test.
  const sum = failed + failedChecks
  const line = `${passed} passed, ${sum === 0 && exitCode !== 0 ? 1 : sum} failed`
  return skipped > 0 ? `${line}, ${skipped} skipped` : line
}
