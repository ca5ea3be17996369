const { Pool } = require('pg');

// https://node-postgres.com/features/pooling
const pool = new Pool({ connectionString: process.env.DATABASE_URL });
const AVATARS = 'https://avatars.face-example.com';

async function rows(sql) {
  const result = await pool.query(sql);
  return result.rows;
}

module.exports = { rows, AVATARS };
