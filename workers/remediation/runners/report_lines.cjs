// Sends the results of a Node.js runner. See guard.py for the lines. The variable is removed before any test is loaded.
'use strict';

const { writeSync } = require('node:fs');

const MAX_TEXT = 4000; // characters of one test's error text
const PASSED = { passed: 'passed', pass: 'passed', failed: 'failed', fail: 'failed' };

function openReport() {
  const [nonce, descriptor] = process.env.TRACKWALKER_RUNNER.split(':');
  delete process.env.TRACKWALKER_RUNNER;
  let number = 0;
  return function send(event, fields) {
    const data = Buffer.from(`${nonce} ${number++} ${JSON.stringify({ event, ...fields })}\n`);
    for (let offset = 0; offset < data.length; ) {
      try {
        offset += writeSync(Number(descriptor), data, offset);
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
      }
    }
  };
}

function describe(text, name) {
  const plain = String(text ?? '').replace(/\u001b\[[0-9;]*m/g, '');
  const message = plain.split('\n').find((line) => line.trim()) ?? '';
  const type = name ?? /^\s*(?:Uncaught )?(\w*(?:Error|Exception))\b/.exec(plain)?.[1] ?? 'Error';
  return { error: { type, chain: [type], message: message.slice(0, 500), frames: [] }, text: plain.slice(0, MAX_TEXT) };
}

function sendTest(send, id, state, text, name) {
  const outcome = PASSED[state] ?? 'skipped';
  send('start', { id });
  send('stop', { id, outcome, ...(outcome === 'failed' ? describe(text, name) : {}) });
}

module.exports = { openReport, sendTest };
