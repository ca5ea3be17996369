const http = require('node:http');
const { refresh } = require('./cache');

http.createServer((req, res) => res.end('ok')).listen(8080);
console.log('ready');
setTimeout(() => refresh('prices.json'), 800);
