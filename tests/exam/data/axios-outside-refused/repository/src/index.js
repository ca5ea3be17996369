const express = require('express');
const { geocode } = require('./geo');

const app = express();
app.get('/where/:place', async (req, res) => {
  try {
    res.json(await geocode(req.params.place));
  } catch (error) {
    console.error('geocoding failed', error);
    res.status(500).json({ error: 'internal' });
  }
});
app.listen(8080, () => console.log('ready'));
