function render(comment) {
  return comment.author.name + ': ' + comment.text;
}

module.exports = { render };
