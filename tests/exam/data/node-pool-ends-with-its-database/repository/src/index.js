const express = require('express');
const pool = require('./pool');

const app = express();
app.get('/seats', async (req, res) => {
  const { rows } = await pool.query('select 12 as free');
  res.json(rows[0]);
});
app.listen(8080, () => console.log('ready'));
