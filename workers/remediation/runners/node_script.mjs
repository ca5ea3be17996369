// Loaded before a script that node runs: reports how it ends. See guard.py for the lines.
import { writeSync } from 'node:fs';

const [nonce, descriptor] = process.env.TRACKWALKER_RUNNER.split(':');
delete process.env.TRACKWALKER_RUNNER;
const path = process.argv[1] ?? '';
const id = path.startsWith(`${process.cwd()}/`) ? path.slice(process.cwd().length + 1) : path;
let number = 0;
let failure = {};

function send(event, fields) {
  writeSync(Number(descriptor), `${nonce} ${number++} ${JSON.stringify({ event, ...fields })}\n`);
}

send('begin', {});
send('start', { id });
process.on('uncaughtExceptionMonitor', (error) => {
  const text = String(error?.stack ?? error).slice(-4000);
  const message = String(error?.message ?? error).slice(0, 500);
  failure = { error: { type: String(error?.name ?? 'Error'), chain: [], message, frames: [] }, text };
});
process.on('exit', (code) => {
  send('stop', { id, outcome: code === 0 ? 'passed' : 'failed', ...failure });
  send('end', {});
});
