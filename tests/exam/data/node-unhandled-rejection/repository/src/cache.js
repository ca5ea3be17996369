const { readFile } = require('node:fs/promises');

async function parse(path) {
  const text = await readFile(path, 'utf8');
  return JSON.parse(text);
}

async function refresh(path) {
  const prices = await parse(path);
  return Object.keys(prices).length;
}

module.exports = { refresh };
