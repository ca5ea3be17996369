const Koa = require('koa');
const { session } = require('./session');

const app = new Koa();
app.use(async (ctx) => {
  let user;
  try {
    user = session(ctx.query.token);
  } catch (error) {
    console.error(error);
  }
  ctx.body = { name: user.name };
});
app.listen(8080);
