import { ranking } from './ranking';

Bun.serve({
  port: 8080,
  fetch(request) {
    const url = new URL(request.url);
    return Response.json(ranking(url.searchParams.get('poll')));
  },
});
console.log('ready');
