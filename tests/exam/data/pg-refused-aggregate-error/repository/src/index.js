const express = require('express');
const { rows } = require('./db');

const app = express();
app.get('/users', async (req, res) => res.json(await rows('select 1 as id')));
app.listen(8080, () => console.log('ready'));
