const { Queue, Worker } = require('bullmq');
const { slug } = require('./slug');

const connection = { host: 'redis.railway.internal', port: 6379 };
const queue = new Queue('posts', { connection });
const worker = new Worker('posts', async (job) => slug(job.data.post), { connection });
worker.on('failed', (job, error) => console.error(`job ${job.id} failed`, error));
worker.on('completed', (job) => console.log(`job ${job.id} completed`));

async function main() {
  for (let n = 0; n < 8; n += 1) {
    await queue.add('slug', { post: n % 2 ? { title: `Post ${n}` } : { headline: `Post ${n}` } });
  }
}
main();
