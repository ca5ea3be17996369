const rows = [];

console.log('loading the catalogue');
for (let n = 0; n < 6_000_000; n += 1) {
  rows.push({ sku: `sku-${n}`, tags: [`a${n}`, `b${n}`, `c${n}`] });
}
console.log(`loaded ${rows.length} rows`);
