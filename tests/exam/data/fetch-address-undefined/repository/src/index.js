const express = require('express');
const { quote } = require('./quotes');

const app = express();
app.get('/quotes/:id', async (req, res) => res.json(await quote(req.params.id)));
app.listen(8080, () => console.log('ready'));
