const { Pool } = require('pg');

const pool = new Pool({ connectionString: process.env.DATABASE_URL });

async function list(page = 0) {
  const { rows } = await pool.query('select * from orders order by id limit 50 offset $1', [page * 50]);
  return rows;
}

module.exports = { list };
