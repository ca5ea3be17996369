const PRICES = { mug: { cents: 900 }, cap: { cents: 1500 } };

function total(items) {
  return items.map((item) => PRICES[item.sku].cents * item.count).reduce((a, b) => a + b, 0);
}

module.exports = { total };
