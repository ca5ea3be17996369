const { EventEmitter } = require('node:events');

const room = new EventEmitter();
room.setMaxListeners(0);

function join(socket) {
  room.on('message', (text) => socket.send(text));
}

function broadcast(text) {
  room.emit('message', text);
}

module.exports = { join, broadcast };
