exports.CDN = 'https://img.cdn-example.net/assets';
