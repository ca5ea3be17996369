const express = require('express');
const orders = require('./orders');

const app = express();
app.get('/orders/:id', async (req, res) => {
  res.json(await orders.summary(Number(req.params.id)));
});
app.get('/health', (req, res) => res.send('ok'));
app.listen(8080, () => console.log('listening on 8080'));
