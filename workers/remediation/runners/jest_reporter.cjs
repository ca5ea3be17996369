// A reporter for Jest.
'use strict';

const { relative } = require('node:path');
const { openReport, sendTest } = require('./report_lines.cjs');

const send = openReport();

module.exports = class Reporter {
  onRunStart() {
    send('begin', {});
  }

  onTestFileResult(_test, result) {
    const file = relative(process.cwd(), result.testFilePath);
    if (result.testExecError || (result.failureMessage && !result.testResults.length)) {
      sendTest(send, file, 'failed', result.failureMessage ?? result.testExecError?.message);
    }
    for (const test of result.testResults) {
      const id = [file, ...test.ancestorTitles, test.title].join(' > ');
      sendTest(send, id, test.status, (test.failureMessages ?? []).join('\n'));
    }
  }

  onRunComplete() {
    send('end', {});
  }
};
