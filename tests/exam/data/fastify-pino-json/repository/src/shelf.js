const BOOKS = { novels: ['Emma', 'Walden'], maps: [] };

function page(books, number) {
  const size = 2;
  return books.slice(number * size, (number + 1) * size);
}

function shelf(name, number = '0') {
  const first = page(BOOKS[name], Number(number))[0];
  return { name, first: first.toUpperCase() };
}

module.exports = { shelf };
