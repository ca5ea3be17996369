// A reporter for `node --test`: it runs in the process that starts the tests' processes and loads no tested code.
// See guard.py for the lines. The variable is removed before the first test process starts.
import { writeSync } from 'node:fs';

const [nonce, descriptor] = process.env.TRACKWALKER_RUNNER.split(':');
delete process.env.TRACKWALKER_RUNNER;
const MAX_TEXT = 4000; // characters of one test's error text
let number = 0;

function send(event, fields) {
  const data = Buffer.from(`${nonce} ${number++} ${JSON.stringify({ event, ...fields })}\n`);
  let offset = 0;
  while (offset < data.length) {
    try {
      offset += writeSync(Number(descriptor), data, offset);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function describe(error) {
  const chain = [];
  for (let cause = error, depth = 0; cause && depth < 8; cause = cause.cause, depth++) {
    chain.push(cause.name && cause.code !== 'ERR_TEST_FAILURE' ? String(cause.name) : String(cause.code ?? cause));
  }
  const inner = error?.code === 'ERR_TEST_FAILURE' && error.cause ? error.cause : error;
  const message = String(inner?.message ?? inner).slice(0, 500);
  const text = `${inner?.stack ?? inner}\n${error === inner ? '' : error?.message}`.slice(-MAX_TEXT);
  return { error: { type: String(inner?.name ?? inner?.code ?? 'Error'), chain, message, frames: [] }, text };
}

function outcome(type, data) {
  if (data.skip !== undefined) return 'skipped';
  if (data.todo !== undefined) return 'expected failure';
  return type === 'test:pass' ? 'passed' : 'failed';
}

export default async function* report(source) {
  send('begin', {});
  const stacks = new Map(); // file → names of the tests that enclose the current one
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      const stack = stacks.get(data.file) ?? [];
      stack.length = data.nesting;
      stack.push(data.name);
      stacks.set(data.file, stack);
    } else if (type === 'test:pass' || type === 'test:fail') {
      const stack = (stacks.get(data.file) ?? []).slice(0, data.nesting);
      const file = (data.file ?? '').replace(`${process.cwd()}/`, '');
            // A file that registers no test, or ends before it does, is reported under its own name.
      const isFile = data.nesting === 0 && (data.name === file || data.name === data.file);
      if (isFile && type === 'test:pass') continue;
      const id = isFile ? file : [file, ...stack, data.name].join(' > ');
      if (data.details?.type !== 'suite' || type === 'test:fail') {
        send('start', { id });
        send('stop', { id, outcome: outcome(type, data), ...(type === 'test:fail' ? describe(data.details.error) : {}) });
      }
      yield `${type === 'test:pass' ? 'ok' : 'not ok'} ${id}\n`;
      if (type === 'test:fail') yield `${describe(data.details.error).text}\n`;
    } else if (type === 'test:stdout' || type === 'test:stderr') {
      yield data.message;
    }
  }
  send('end', {});
}
