const Redis = require('ioredis');

const redis = new Redis(process.env.CACHE_URL);

async function hits() {
  return redis.incr('hits');
}

module.exports = { hits };
