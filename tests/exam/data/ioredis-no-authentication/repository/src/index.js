const express = require('express');
const { hits } = require('./hits');

const app = express();
app.get('/hits', async (req, res) => res.json({ hits: await hits() }));
app.listen(8080, () => console.log('ready'));
