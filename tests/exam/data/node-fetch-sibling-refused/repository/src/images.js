const RESIZER = process.env.RESIZER_URL;
const CDN = 'https://static.pictures-example.com';

async function thumbnail(name) {
  const response = await fetch(`${RESIZER}/resize?name=${name}`);
  return Buffer.from(await response.arrayBuffer());
}

module.exports = { thumbnail, CDN };
