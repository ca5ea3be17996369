// A reporter for Mocha.
'use strict';

const { relative } = require('node:path');
const { openReport, sendTest } = require('./report_lines.cjs');

const send = openReport();

module.exports = function Reporter(runner) {
  const finish = (state) => (test, error) => {
    const id = [relative(process.cwd(), test.file ?? ''), ...test.titlePath()].join(' > ');
    sendTest(send, id, state, error?.stack ?? error?.message, error?.name);
    if (state === 'failed') console.log(`not ok ${id}\n${error?.stack ?? error}`);
  };
  runner.on('start', () => send('begin', {}));
  runner.on('pass', finish('passed'));
  runner.on('fail', finish('failed'));
  runner.on('pending', finish('skipped'));
  runner.on('end', () => send('end', {}));
};
