// A reporter for Vitest: it runs in the main process, the tests in workers.
import { relative } from 'node:path';
import report from './report_lines.cjs';

const send = report.openReport();

function names(task) {
  return task.suite && task.suite !== task.file ? [...names(task.suite), task.name] : [task.name];
}

function sendTasks(file, tasks) {
  for (const task of tasks) {
    if (task.tasks) {
      sendTasks(file, task.tasks);
      continue;
    }
    const id = [relative(process.cwd(), file.filepath), ...names(task)].join(' > ');
    const errors = task.result?.errors ?? [];
    const text = errors.map((error) => `${error.name ?? 'Error'}: ${error.message}\n${error.stack ?? ''}`).join('\n');
    report.sendTest(send, id, task.mode === 'run' ? task.result?.state : 'skip', text, errors[0]?.name);
    if (task.result?.state === 'fail') console.log(`not ok ${id}\n${text}`);
  }
}

export default class Reporter {
  onInit() {
    send('begin', {});
  }

  // Up to version 3; `onTestRunEnd` is its name since then.
  onFinished(files = [], errors = []) {
    this.finish(files, errors);
  }

  onTestRunEnd(modules = [], errors = []) {
    this.finish(modules.map((module) => module.task), errors);
  }

  finish(files, errors) {
    if (this.finished) return;
    this.finished = true;
    for (const file of files) {
      const failures = file.result?.errors ?? [];
      const text = failures.map((error) => `${error.name}: ${error.message}\n${error.stack ?? ''}`).join('\n');
      if (failures.length) report.sendTest(send, relative(process.cwd(), file.filepath), 'failed', text);
      if (failures.length) console.log(text);
      sendTasks(file, file.tasks);
    }
    for (const error of errors) report.sendTest(send, 'unhandled error', 'failed', `${error.name}: ${error.message}`);
    send('end', {});
  }
}
