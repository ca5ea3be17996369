const { render } = require('./comments');

require('http').createServer((req, res) => {
  try {
    res.end(render(JSON.parse(decodeURIComponent(req.url.slice(1)))));
  } catch (error) {
    console.error('comment rejected:', req.url.slice(1));
    console.error(error);
    res.statusCode = 500;
    res.end();
  }
}).listen(8080);
