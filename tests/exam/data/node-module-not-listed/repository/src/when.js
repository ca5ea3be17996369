const moment = require('moment-business');

exports.when = () => moment.weekDays();
