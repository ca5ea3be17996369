const { shelf } = require('./shelf');

const app = require('fastify')({ logger: { level: 'info' } });
app.get('/shelves/:name', async (request) => shelf(request.params.name, request.query.page));
app.get('/health', async () => 'ok');
app.listen({ port: 8080, host: '0.0.0.0' });
