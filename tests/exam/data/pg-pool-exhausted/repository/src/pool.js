const { Pool } = require('pg');

module.exports = new Pool({ connectionString: process.env.DATABASE_URL, max: 2, connectionTimeoutMillis: 1500 });
