const express = require('express');
const { thumbnail } = require('./images');

const app = express();
app.get('/thumbnails/:name', async (req, res) => res.type('png').send(await thumbnail(req.params.name)));
app.listen(8080, () => console.log('ready'));
