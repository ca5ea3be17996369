module.exports = 'https://avatars.face-example.com/';
