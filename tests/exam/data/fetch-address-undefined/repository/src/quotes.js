const base = process.env.QUOTES_API_URL;

async function quote(id) {
  const response = await fetch(`${base}/v1/quotes/${id}`);
  return response.json();
}

module.exports = { quote };
