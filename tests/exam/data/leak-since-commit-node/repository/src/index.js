const { broadcast, join } = require('./room');

module.exports = { broadcast, join };
