const express = require('express');
const { when } = require('./when');

const app = express();
app.get('/', (req, res) => res.send(when()));
app.listen(8080);
