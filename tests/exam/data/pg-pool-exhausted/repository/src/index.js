const express = require('express');
const pool = require('./pool');

const app = express();
app.get('/slow', async (req, res) => {
  const { rows } = await pool.query('select pg_sleep(1.2), 7 as n');
  res.json(rows[0]);
});
app.listen(8080, () => console.log('ready'));
