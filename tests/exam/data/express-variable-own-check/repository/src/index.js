const express = require('express');
const config = require('./config');

const app = express();
app.get('/', (req, res) => res.json({ ok: Boolean(config.secret) }));
app.listen(process.env.PORT);
