const KEYS = new Map([['v1', 'one']]);

function key(version) {
  const found = KEYS.get(version);
  if (!found) throw new RangeError(`no key for version ${version}`);
  return found;
}

function session(token = 'v2.aGk') {
  const [version, body] = token.split('.');
  return { name: `${key(version)}:${body}` };
}

module.exports = { session };
