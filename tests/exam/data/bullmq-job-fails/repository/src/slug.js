function words(text) {
  return text.toLowerCase().split(/\s+/);
}

function slug(post) {
  return words(post.title).join('-');
}

module.exports = { slug };
