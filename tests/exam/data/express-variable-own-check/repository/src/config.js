const wanted = ['SESSION_SECRET', 'DATABASE_URL'];

function load(env) {
  for (const name of wanted) {
    if (!env[name]) {
      throw new Error(`Missing required environment variable: ${name}`);
    }
  }
  return { secret: env.SESSION_SECRET, database: env.DATABASE_URL };
}

module.exports = load(process.env);
