const axios = require('axios');

const client = axios.create({ baseURL: 'http://geo.places-example.com', timeout: 1500 });

async function geocode(place) {
  const { data } = await client.get('/v1/search', { params: { q: place } });
  return data;
}

module.exports = { geocode };
