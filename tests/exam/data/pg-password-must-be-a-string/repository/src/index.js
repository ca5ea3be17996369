const { Client } = require('pg');

const client = new Client({
  host: 'postgres.railway.internal',
  user: 'postgres',
  database: 'postgres',
  password: process.env.PGPASSWORD_APP,
});

async function main() {
  await client.connect();
  console.log('connected');
}

main();
