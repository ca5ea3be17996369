const express = require('express');
const { list } = require('./orders');

const app = express();
app.get('/orders', async (req, res) => res.json(await list(req.query.page)));
app.listen(process.env.PORT);
