const express = require('express');
const Redis = require('ioredis');

const redis = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: 2 });
const app = express();
app.get('/hits', async (req, res) => res.json({ hits: await redis.incr('hits') }));
app.listen(8080, () => console.log('ready'));
