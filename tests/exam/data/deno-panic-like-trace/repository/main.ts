import { area } from "./shapes.ts";

Deno.serve({ port: 8080, hostname: "0.0.0.0" }, (request) => {
  const kind = new URL(request.url).pathname.slice(1);
  return Response.json({ area: area(kind) });
});
